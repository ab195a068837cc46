"""What thermal_mode.py promises: who may set the mode, and what a broken file does."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import unittest.mock

import gradio as gr
from service import GRADIO
from fastapi import FastAPI
from fastapi.testclient import TestClient
from rig import BINARIES
from thermal_mode import BatchSize, ThermalMode

PATH = "/api/thermal_mode"


class Scratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)
        self.file = self.directory / "runtime.env"

    def write(self, text):
        self.file.write_bytes(text)


class EnvironmentFile(Scratch):
    def test_all_that_a_shell_would_read_is_read(self):
        for text in (b"reduced_batch_size=2", b"export reduced_batch_size=2\n",
                     b"reduced_batch_size = '2' # small\r\n", b'A=9\nreduced_batch_size="2"\nB=\n',
                     b"reduced_batch_size=8\nreduced_batch_size=2\n"):
            self.write(text)
            self.assertEqual(BatchSize(self.file)(), 2, text)

    def test_what_is_missing_torn_or_nonsense_changes_nothing(self):
        size = BatchSize(self.file, normal=4)
        self.assertEqual(size(), 4, "there was never a file")
        self.write(b"reduced_batch_size=2\n")
        self.assertEqual(size(), 2)
        for broken in (b"", b"reduced_batch_", b"reduced_batch_size=", b"reduced_batch_size=two",
                       b"reduced_batch_size=0", b"reduced_batch_size=-1", b"reduced_batch_size=1e9",
                       b"reduced_batch_size=99999999999999999999", b"\xff\xfe\0", b"# a=1\n" * 20000,
                       "reduced_batch_size=٣".encode(), b"xreduced_batch_size=3"):
            self.write(broken)
            self.assertEqual(size(), 2, broken[:40])
        self.file.unlink()
        self.assertEqual(size(), 2)
        os.mkfifo(self.file)
        self.assertEqual(size(), 2, "a pipe would be waited for")
        self.file.unlink()
        self.write(b"reduced_batch_size=3\n")
        self.assertEqual(size(), 3)

    def test_an_unchanged_file_is_not_read_again_and_a_replaced_one_is(self):
        self.write(b"reduced_batch_size=2\n")
        os.utime(self.file, (1, 1))
        size = BatchSize(self.file)
        self.assertEqual(size(), 2)
        reads = []
        size._read = lambda: reads.append(1)
        self.assertEqual([size() for _ in range(100)], [2] * 100)
        self.assertEqual(reads, [])
        new = self.directory / "new"
        new.write_bytes(b"reduced_batch_size=1\n")
        os.utime(new, (1, 1))
        new.rename(self.file)
        del size._read
        self.assertEqual(size(), 1, "the same age and length, another file")


class Access(Scratch):
    """Without a socket: whence a request comes is then ours to say."""

    def client(self, thermal, address="127.0.0.1", host="127.0.0.1:7860"):
        app = FastAPI(routes=thermal.routes())
        return TestClient(app, base_url=f"http://{host}", client=(address, 50000))

    def refused(self, code, thermal, headers=None, **whence):
        answer = self.client(thermal, **whence).post(f"{PATH}?mode=eco", headers=headers)
        self.assertEqual(answer.status_code, code, answer.text)
        self.assertEqual(thermal.mode, "normal")

    def test_this_machine_may_and_is_told_what_came_of_it(self):
        for host in ("127.0.0.1:7860", "localhost", "[::1]:7860"):
            thermal = ThermalMode()
            client = self.client(thermal, host=host)
            answer = client.post(f"{PATH}?mode=eco")
            self.assertEqual(answer.status_code, 200, host)
            self.assertEqual(answer.json()["mode"], "eco")
            self.assertEqual(answer.json()["batch_size"], 4)
            self.assertEqual(client.get(PATH).json()["status"], "ok")
            client.post(f"{PATH}?mode=normal")
            self.assertEqual(thermal.mode, "normal")

    def test_others_proxies_and_browsers_may_not(self):
        self.refused(403, ThermalMode(), address="192.0.2.7")
        self.refused(403, ThermalMode(), address="192.0.2.7", headers={"X-Forwarded-For": "127.0.0.1"})
        self.refused(403, ThermalMode(), host="abc.gradio.live")
        for name in ("Origin", "Sec-Fetch-Site", "X-Forwarded-For", "Forwarded", "Via"):
            self.refused(403, ThermalMode(), headers={name: "127.0.0.1"})
        self.assertEqual(self.client(ThermalMode(), "192.0.2.7").get(PATH).status_code, 403)

    def test_a_token_admits_from_anywhere_and_nothing_else_does(self):
        self.file.write_text("s3cret\n")
        thermal = ThermalMode(token_file=self.file)
        for said in (None, "Bearer", "Bearer ", "Bearer s3cre", "s3cret", "Bearer \xfc"):
            headers = {"Authorization": said.encode("latin-1")} if said else {}
            self.refused(401, thermal, headers=headers)
        client = self.client(thermal, "192.0.2.7", "n1.example")
        right = {"Authorization": "Bearer s3cret"}
        self.assertEqual(client.post(f"{PATH}?mode=eco", headers=right).status_code, 200)
        self.file.write_text("")
        self.assertEqual(client.post(f"{PATH}?mode=normal", headers=right).status_code, 401)
        self.assertEqual(self.client(thermal).get(PATH).json()["mode"], "eco")
        with self.assertRaises(ValueError):
            ThermalMode(token_file=self.directory / "none")

    def test_a_mode_nobody_knows_is_refused(self):
        for query in ("", "?mode=", "?mode=ECO", "?mode=%3Cb%3E", "?mode=eco%00"):
            answer = self.client(ThermalMode()).post(PATH + query)
            self.assertEqual(answer.status_code, 422, query)


class Labels(unittest.TestCase):
    def test_an_app_says_it_in_its_own_words_and_leaves_the_rest(self):
        thermal = ThermalMode(labels={"line": "散热：{mode}，批 {size}", "eco": "节能 <b>"})
        self.assertIn("散热：<b>Normal</b>，批 4</p>", thermal._html())
        thermal.set("eco")
        self.assertIn("散热：<b>节能 &lt;b&gt;</b>，批 4</p>", thermal._html())
        self.assertIn("System thermal status: <b>Normal</b> · batch size 4</p>", ThermalMode()._html())

    def test_a_slip_is_said_at_the_start(self):
        for labels in ({"lines": ""}, {"line": "{mdoe}"}, {"line": "{}"}, {"line": "{"}, {"line": None},
                       {"eco": 1}):
            with self.assertRaises(ValueError, msg=labels) as refused:
                ThermalMode(labels=labels)
            self.assertIn("labels: ", str(refused.exception))


class Readme(unittest.TestCase):
    """Its lines, as they stand there, in both languages."""

    def test_the_five_lines_make_an_app_that_can_be_told(self):
        for readme in ("README.md", "README.zh-CN.md"):
            lines, names = self.lines(readme)[0], {"gr": gr}
            self.assertEqual(re.findall(r"# (\d)$", lines, re.MULTILINE), list("12345"))
            names["batched"] = lambda images, size: [images[:size]]
            with unittest.mock.patch.object(gr.Blocks, "launch") as launch:
                exec(lines, names)
            self.assertEqual(names["thermal"].batch_size(), 4)
            app = FastAPI(**launch.call_args.kwargs["app_kwargs"])
            self.tell(app, names["thermal"])

    def test_the_chinese_labels_are_taken(self):
        names = {"ThermalMode": ThermalMode}
        exec(self.lines("README.zh-CN.md")[1], names)
        self.assertIn("系统散热状态：<b>正常</b> · 批大小 4</p>", names["thermal"]._html())

    def lines(self, readme):
        text = (GRADIO / readme).read_text(encoding="utf-8")
        return re.findall(r"```python\n(.*?)```", text, re.DOTALL)

    def test_an_app_of_ones_own_has_the_path_before_gradio_takes_it(self):
        thermal, app = ThermalMode(), FastAPI()
        with gr.Blocks() as demo:
            thermal.status_line()
        app.router.routes[:0] = thermal.routes()
        gr.mount_gradio_app(app, demo, path="/")
        client = self.tell(app, thermal)
        self.assertIn("gradio", client.get("/").text)

    def tell(self, app, thermal):
        client = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 50000))
        self.assertEqual(client.post(f"{PATH}?mode=eco").status_code, 200)
        self.assertEqual(thermal.mode, "eco")
        return client


class Snippet(Scratch):
    """The configuration that the README tells to use."""

    def complaints(self, text):
        self.file.write_text(text)
        command = [BINARIES / "thermal-guard", "check", f"--config.file={self.file}",
                   f"--state.dir={self.directory}", f"--lock.dir={self.directory}",
                   "--nvml.library=/nonexistent"]
        said = subprocess.run(command, capture_output=True, text=True).stdout
        return [line for line in said.splitlines() if line.startswith("fail  configuration")]

    def test_the_guard_takes_it_with_and_without_a_token(self):
        text = (GRADIO / "thermal-guard.yml").read_text()
        self.assertEqual(self.complaints(text), [])
        self.assertEqual(self.complaints(text.replace("# bearer_token_file", "bearer_token_file")), [])

    def test_a_slip_in_it_would_be_found(self):
        text = (GRADIO / "thermal-guard.yml").read_text()
        self.assertEqual(len(self.complaints(text.replace("health_url", "healthurl"))), 1)


if __name__ == "__main__":
    unittest.main()
