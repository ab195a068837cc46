"""An example app: sorts chest X-rays by urgency, or pretends to. A stand-in for an inference
service, to see what eco mode does to one. It runs on the CPU and downloads nothing; its "model" is
arithmetic without meaning. NOT A MEDICAL DEVICE.

    python triage.py --env-file runtime_config.env
"""

import argparse
import os
import time

# Both are read at import. One thread is faster than two for matrices of this size.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gradio as gr
import numpy
from PIL import Image

from thermal_mode import ThermalMode

IMAGES_AT_MOST = 64
WIDTH, HEIGHT = 64, 32
LAYERS = 24
# More is no chest: refused before it is unpacked.
Image.MAX_IMAGE_PIXELS = 50_000_000


class StandIn:
    """Layers of whole numbers, kept in bytes and unpacked for every pass, however many images are in
    the batch: small batches cost time, as on a GPU. Whole numbers in floats add up exactly, so a
    score is the same in a batch of one and in a batch of four."""

    def __init__(self):
        size = WIDTH * HEIGHT
        weights = numpy.random.default_rng(7).integers(-3, 4, (size, size))
        self.packed = weights.astype(numpy.int8)

    def scores(self, images):
        """0 to 100 for each, to be read as urgency."""
        layer = numpy.stack(images)
        for _ in range(LAYERS):
            layer = numpy.abs(layer @ self.packed.astype(numpy.float32)) % 251
        return [int(total) % 101 for total in layer.sum(axis=1)]


def pixels(path):
    with Image.open(path) as image:
        return numpy.asarray(image.convert("L").resize((WIDTH, HEIGHT)), numpy.float32).ravel()


class Triage:
    """The service: images in, their order and a summary out."""

    def __init__(self, thermal, model):
        self.thermal, self.model = thermal, model

    def __call__(self, paths):
        paths = paths or []
        if not 1 <= len(paths) <= IMAGES_AT_MOST:
            raise gr.Error(f"1 to {IMAGES_AT_MOST} images, please")
        began = time.monotonic()
        images = [self.read(path) for path in paths]
        scores, batches = self.run(images)
        seconds = time.monotonic() - began
        names = [os.path.basename(path) for path in paths]
        rows = sorted(zip(names, scores), key=lambda row: (-row[1], row[0]))
        order = [f"{score:3}  {'look first' if score > 66 else 'routine':10}  {name}"
                 for name, score in rows]
        return "\n".join(order), summary(batches, seconds, self.thermal.mode)

    def run(self, images):
        """Asks for the batch size before every batch: a job that runs when the mode changes goes
        on, in other steps."""
        scores, batches = [], []
        while len(scores) < len(images):
            at, size = len(scores), self.thermal.batch_size()
            batch = images[at:at + size]
            scores += self.model.scores(batch)
            batches.append(len(batch))
        return scores, batches

    @staticmethod
    def read(path):
        try:
            return pixels(path)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise gr.Error(f"{os.path.basename(path)} is no image") from error


def summary(batches, seconds, mode):
    sizes = ", ".join(map(str, batches))
    return f"{sum(batches)} images in batches of {sizes}: {seconds:.2f} s, mode {mode}"


def app(thermal):
    triage = Triage(thermal, StandIn())
    with gr.Blocks(title="X-ray triage (stand-in)", analytics_enabled=False) as demo:
        gr.Markdown("# Chest X-ray triage\nA stand-in without meaning: **not a medical device**.")
        thermal.status_line()
        files = gr.File(label="X-rays", file_count="multiple", file_types=["image"],
                        height=200)
        button = gr.Button("Sort by urgency", variant="primary")
        note = gr.Textbox(label="Job", interactive=False)
        order = gr.Textbox(label="Order", lines=8, interactive=False)
        button.click(triage, files, [order, note], api_name="triage")
    return demo


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-file", help="where thermal-guard writes reduced_batch_size")
    parser.add_argument("--token-file", help="a token, if the guard isn't on this machine")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    given = parser.parse_args()
    thermal = ThermalMode(given.env_file, token_file=given.token_file)
    app(thermal).launch(
        server_name=given.host,
        server_port=given.port,
        app_kwargs={"routes": thermal.routes()},
        # Patients' images don't belong into the memory of a browser.
        run_history=False,
        share=False,
        quiet=True,
    )


if __name__ == "__main__":
    main()
