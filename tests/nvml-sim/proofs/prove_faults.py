"""Cards and drivers go wrong the way real ones do."""

import threading
import time
import unittest

import pynvml as nvml

from bench import Proof, eventually, program, simctl, truth


def temperature(gpu):
    return nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)


class Faults(Proof):
    def test_lost(self):
        simctl("fault", "--gpu", 0, "lost")
        with self.refused(nvml.NVML_ERROR_GPU_IS_LOST):
            temperature(self.gpus[0])
        with self.refused(nvml.NVML_ERROR_GPU_IS_LOST):
            nvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(nvml.nvmlDeviceGetCount(), 2)
        self.assertEqual(temperature(self.gpus[1]), round(truth(1)["die"]))
        simctl("fault", "--gpu", 0, "none")
        self.assertEqual(temperature(self.gpus[0]), round(truth()["die"]))

    def test_no_permission(self):
        simctl("fault", "no-permission")
        with self.refused(nvml.NVML_ERROR_NO_PERMISSION):
            nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], 300_000)
        with self.refused(nvml.NVML_ERROR_NO_PERMISSION):
            nvml.nvmlDeviceResetGpuLockedClocks(self.gpus[0])
        self.assertEqual(nvml.nvmlDeviceGetPowerManagementLimit(self.gpus[0]), 400_000)

    def test_frozen_temperature(self):
        simctl("fault", "--gpu", 1, "frozen-temperature")
        before = temperature(self.gpus[1]), nvml.nvmlDeviceGetMarginTemperature(self.gpus[1])
        simctl("set", "load=1")
        simctl("advance", 300)
        after = temperature(self.gpus[1]), nvml.nvmlDeviceGetMarginTemperature(self.gpus[1])
        self.assertEqual(after, before)
        self.assertGreater(truth(1)["die"], before[0] + 30)
        self.assertGreater(nvml.nvmlDeviceGetPowerUsage(self.gpus[1]), 300_000)

    def test_ignored_writes(self):
        simctl("fault", "--gpu", 0, "ignored-writes")
        nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], 300_000)
        self.assertEqual(nvml.nvmlDeviceGetPowerManagementLimit(self.gpus[0]), 400_000)

    def test_unsupported(self):
        simctl("fault", "--gpu", 0, "unsupported:temperature,power-limit")
        with self.refused(nvml.NVML_ERROR_NOT_SUPPORTED):
            temperature(self.gpus[0])
        with self.refused(nvml.NVML_ERROR_NOT_SUPPORTED):
            nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], 300_000)
        self.assertGreater(nvml.nvmlDeviceGetPowerUsage(self.gpus[0]), 0)

    def test_a_hang_holds_its_caller_and_nobody_else(self):
        simctl("fault", "--gpu", 0, "hang")
        caught = []
        caller = threading.Thread(target=lambda: caught.append(temperature(self.gpus[0])))
        caller.start()
        other = program("print(nvml.nvmlDeviceGetPowerUsage(nvml.nvmlDeviceGetHandleByIndex(1)))")
        self.assertGreater(int(other.communicate(timeout=10)[0]), 0)
        self.assertGreater(temperature(self.gpus[1]), 0)
        self.assertEqual(nvml.nvmlDeviceGetName(self.gpus[0]), "NVIDIA A100-SXM4-80GB")
        self.assertTrue(caller.is_alive())
        simctl("fault", "--gpu", 0, "none")
        caller.join(timeout=10)
        self.assertEqual(caught, [round(truth()["die"])])


class Driver(Proof):
    def test_a_reload_forgets_and_must_be_noticed(self):
        nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], 300_000)
        nvml.nvmlDeviceSetGpuLockedClocks(self.gpus[0], 210, 800)
        simctl("advance", 100)
        simctl("driver-reload")
        with self.refused(nvml.NVML_ERROR_UNINITIALIZED):
            temperature(self.gpus[0])
        nvml.nvmlShutdown()
        nvml.nvmlInit()
        gpu = nvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(nvml.nvmlDeviceGetPowerManagementLimit(gpu), 400_000)
        self.assertEqual(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu), 0)
        self.assertIsNone(truth()["sm_lock_mhz"])

    def test_no_driver(self):
        simctl("driver-unload")
        with self.refused(nvml.NVML_ERROR_DRIVER_NOT_LOADED):
            temperature(self.gpus[0])
        nvml.nvmlShutdown()
        with self.refused(nvml.NVML_ERROR_DRIVER_NOT_LOADED):
            nvml.nvmlInit()
        simctl("driver-load")
        nvml.nvmlInit()

    def test_an_upgrade_under_way(self):
        nvml.nvmlShutdown()
        simctl("driver-mismatch")
        with self.refused(nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH):
            nvml.nvmlInit()
        simctl("driver-load")
        nvml.nvmlInit()

    def test_an_xid_reaches_who_waits(self):
        events = nvml.nvmlEventSetCreate()
        for gpu in self.gpus:
            nvml.nvmlDeviceRegisterEvents(gpu, nvml.nvmlEventTypeXidCriticalError, events)
        with self.refused(nvml.NVML_ERROR_TIMEOUT):
            nvml.nvmlEventSetWait_v2(events, 50)
        simctl("xid", "--gpu", 1, 79)
        event = nvml.nvmlEventSetWait_v2(events, 5000)
        self.assertEqual(event.eventData, 79)
        self.assertEqual(nvml.nvmlDeviceGetIndex(event.device), 1)
        nvml.nvmlEventSetFree(events)


class Latency(Proof):
    def test_slow_calls_are_slow(self):
        simctl("latency", "--gpu", 0, 300_000)
        other = program("nvml.nvmlDeviceGetPowerUsage(nvml.nvmlDeviceGetHandleByIndex(0)); print(1)")
        self.assertFalse(eventually(lambda: other.poll() is not None, seconds=0.2))
        self.assertEqual(other.communicate(timeout=10)[0], "1\n")

    def test_calls_take_what_was_reported_of_them(self):
        def takes(call):
            began = time.monotonic()
            call(self.gpus[0])
            return time.monotonic() - began

        simctl("latency", "reported")
        self.assertGreaterEqual(takes(nvml.nvmlDeviceGetTotalEnergyConsumption), 0.0026)
        self.assertLess(min(takes(nvml.nvmlDeviceGetPowerUsage) for _ in range(20)), 0.0026)
        simctl("latency", 0)
        times = [takes(nvml.nvmlDeviceGetTotalEnergyConsumption) for _ in range(20)]
        self.assertLess(min(times), 0.0026)

    def test_calls_are_counted(self):
        before = truth()["calls"]
        for _ in range(5):
            nvml.nvmlDeviceGetPowerUsage(self.gpus[0])
        self.assertEqual(truth()["calls"], before + 5)


if __name__ == "__main__":
    unittest.main()
