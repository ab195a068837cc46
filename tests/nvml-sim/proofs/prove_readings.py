"""What programs read is what the cards are."""

import ctypes
import os
import pathlib
import unittest

import pynvml as nvml

from bench import FIRST, SECOND, Proof, simctl, truth

SIGNED_INT = nvml.NVML_VALUE_TYPE_SIGNED_INT


class Identity(Proof):
    def test_the_machine(self):
        self.assertEqual(nvml.nvmlDeviceGetCount(), 2)
        self.assertEqual(nvml.nvmlSystemGetDriverVersion(), "580.95.05")
        self.assertEqual(nvml.nvmlSystemGetNVMLVersion(), "13.580.95.05")

    def test_the_cards(self):
        names = [nvml.nvmlDeviceGetName(gpu) for gpu in self.gpus]
        self.assertEqual(names, ["NVIDIA A100-SXM4-80GB", "NVIDIA L40S"])
        self.assertEqual([nvml.nvmlDeviceGetUUID(gpu) for gpu in self.gpus], [FIRST, SECOND])
        self.assertEqual(nvml.nvmlDeviceGetPciInfo(self.gpus[1]).busId, "00000000:02:00.0")

    def test_every_way_to_a_card(self):
        second = [
            nvml.nvmlDeviceGetHandleByUUID(SECOND),
            nvml.nvmlDeviceGetHandleByPciBusId("0000:02:00.0"),
            nvml.nvmlDeviceGetHandleBySerial(nvml.nvmlDeviceGetSerial(self.gpus[1])),
        ]
        self.assertEqual([nvml.nvmlDeviceGetIndex(gpu) for gpu in second], [1, 1, 1])
        with self.refused(nvml.NVML_ERROR_NOT_FOUND):
            nvml.nvmlDeviceGetHandleByUUID("GPU-of-someone-else")
        with self.refused(nvml.NVML_ERROR_INVALID_ARGUMENT):
            nvml.nvmlDeviceGetHandleByIndex(2)

    def test_every_name_is_there(self):
        library = ctypes.CDLL("libnvidia-ml.so.1")
        names = pathlib.Path(os.environ["NVML_SIM_SYMBOLS"]).read_text().split()
        self.assertGreater(len(names), 430)
        for name in names:
            self.assertTrue(hasattr(library, name), name)

    def test_nothing_before_init(self):
        nvml.nvmlShutdown()
        with self.refused(nvml.NVML_ERROR_UNINITIALIZED):
            nvml.nvmlDeviceGetCount()


class Readings(Proof):
    def setUp(self):
        super().setUp()
        simctl("set", "load=1", "inlet=33.3")
        simctl("advance", 300)

    def test_temperatures_are_whole_degrees_of_the_truth(self):
        for index, gpu in enumerate(self.gpus):
            reading = nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)
            self.assertEqual(reading, round(truth(index)["die"]))
            self.assertEqual(nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU), reading)

    def test_power_is_the_draw(self):
        for index, gpu in enumerate(self.gpus):
            drawn = nvml.nvmlDeviceGetPowerUsage(gpu) / 1000
            self.assertAlmostEqual(drawn, truth(index)["draw_watts"], places=3)

    def test_memory_temperature_only_with_a_sensor(self):
        hbm, none = (self.field(gpu, 82) for gpu in self.gpus)
        self.assertEqual(hbm.value.uiVal, round(truth()["hbm"]))
        self.assertEqual(none.nvmlReturn, nvml.NVML_ERROR_NOT_SUPPORTED)

    def test_margin_and_its_offsets_only_on_ada(self):
        margin = nvml.nvmlDeviceGetMarginTemperature(self.gpus[1])
        self.assertEqual(margin, round(truth(1)["margin"]))
        offsets = [self.field(self.gpus[1], field) for field in (193, 194, 196)]
        self.assertEqual([offset.valueType for offset in offsets], [SIGNED_INT] * 3)
        self.assertEqual([offset.value.siVal for offset in offsets], [-5, -2, 0])
        with self.refused(nvml.NVML_ERROR_NOT_SUPPORTED):
            nvml.nvmlDeviceGetMarginTemperature(self.gpus[0])
        self.assertEqual(self.field(self.gpus[0], 193).nvmlReturn, nvml.NVML_ERROR_NOT_SUPPORTED)

    def test_thresholds_only_on_the_a100(self):
        kinds = (nvml.NVML_TEMPERATURE_THRESHOLD_SHUTDOWN, nvml.NVML_TEMPERATURE_THRESHOLD_MEM_MAX)
        read = nvml.nvmlDeviceGetTemperatureThreshold
        self.assertEqual([read(self.gpus[0], kind) for kind in kinds], [92, 95])
        with self.refused(nvml.NVML_ERROR_NOT_SUPPORTED):
            read(self.gpus[1], kinds[0])

    def test_counters_count_and_moved_with_the_driver(self):
        simctl("set", "inlet=50", "airflow=1.6")
        simctl("advance", 600)
        events = truth()["event_seconds"]
        self.assertGreater(events["sw_thermal_slowdown"], 60)
        self.assertAlmostEqual(self.field(self.gpus[0], 269).value.ullVal / 1e9, events["sw_thermal_slowdown"], places=3)
        self.assertEqual(self.field(self.gpus[0], 251).nvmlReturn, nvml.NVML_ERROR_NOT_SUPPORTED)
        reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(self.gpus[0])
        self.assertTrue(reasons & nvml.nvmlClocksEventReasonSwThermalSlowdown)
        self.tearDown()
        simctl("create", "--gpu", "a100-80gb", "--driver", "570.86.15")
        nvml.nvmlInit()
        gpu = nvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(self.field(gpu, 251).nvmlReturn, nvml.NVML_SUCCESS)
        self.assertEqual(self.field(gpu, 269).nvmlReturn, nvml.NVML_ERROR_NOT_SUPPORTED)

    @staticmethod
    def field(gpu, field):
        return nvml.nvmlDeviceGetFieldValues(gpu, [field])[0]


if __name__ == "__main__":
    unittest.main()
