"""What programs tell the cards has the effect it has on hardware, in every process."""

import signal
import time
import unittest

import pynvml as nvml

from bench import Proof, eventually, program, simctl, truth

limit = nvml.nvmlDeviceGetPowerManagementLimit


class Limits(Proof):
    def test_a_limit_outlives_the_process_that_set_it(self):
        setter = program(
            "gpu = nvml.nvmlDeviceGetHandleByIndex(0)\n"
            "nvml.nvmlDeviceSetPowerManagementLimit(gpu, 250_000)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        self.assertEqual(setter.wait(), -signal.SIGKILL)
        setter.stdout.close()
        self.assertEqual(limit(self.gpus[0]), 250_000)
        self.assertEqual(truth()["limit_watts"], 250)
        self.assertEqual(limit(self.gpus[1]), 350_000)

    def test_out_of_range_changes_nothing(self):
        lowest, highest = nvml.nvmlDeviceGetPowerManagementLimitConstraints(self.gpus[0])
        for milliwatts in (0, lowest - 1, highest + 1):
            with self.refused(nvml.NVML_ERROR_INVALID_ARGUMENT):
                nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], milliwatts)
            self.assertEqual(limit(self.gpus[0]), 400_000)
        nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], lowest)
        self.assertEqual(limit(self.gpus[0]), lowest)

    def test_someone_elses_limit_is_seen(self):
        simctl("limit", "--gpu", 0, 300)
        self.assertEqual(limit(self.gpus[0]), 300_000)
        simctl("out-of-band", "--gpu", 0, 200)
        self.assertEqual(limit(self.gpus[0]), 300_000)
        self.assertEqual(nvml.nvmlDeviceGetEnforcedPowerLimit(self.gpus[0]), 200_000)

    def test_writes_of_many_processes_all_count(self):
        each = 400
        writers = [
            program(
                "gpu = nvml.nvmlDeviceGetHandleByIndex(0)\n"
                f"for step in range({each}): nvml.nvmlDeviceSetPowerManagementLimit(gpu, 300_000 + step)\n"
            )
            for _ in range(4)
        ]
        for writer in writers:
            self.assertEqual(writer.wait(), 0)
            writer.stdout.close()
        self.assertEqual(truth()["limit_writes"], 4 * each)

    def test_a_dead_process_leaves_no_lock_behind(self):
        # Killed at any moment, the middle of a call included.
        for _ in range(10):
            busy = program(
                "gpu = nvml.nvmlDeviceGetHandleByIndex(0)\nprint('go', flush=True)\n"
                "while True: nvml.nvmlDeviceSetPowerManagementLimit(gpu, 300_000)\n"
            )
            busy.stdout.readline()
            time.sleep(0.01)
            busy.kill()
            busy.wait()
            busy.stdout.close()
        self.assertEqual(limit(self.gpus[0]), 300_000)


class Heat(Proof):
    options = ("--time-scale", "200", "--inlet", "35")

    def temperature(self):
        return nvml.nvmlDeviceGetTemperature(self.gpus[0], nvml.NVML_TEMPERATURE_GPU)

    def test_load_heats_and_a_limit_cools(self):
        self.assertLess(self.temperature(), 50)
        simctl("set", "--gpu", 0, "load=1.0")
        self.assertTrue(eventually(lambda: self.temperature() >= 80), self.temperature())
        nvml.nvmlDeviceSetPowerManagementLimit(self.gpus[0], 200_000)
        self.assertTrue(eventually(lambda: self.temperature() <= 65), self.temperature())
        self.assertLessEqual(nvml.nvmlDeviceGetPowerUsage(self.gpus[0]), 200_000)
        reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(self.gpus[0])
        self.assertTrue(reasons & nvml.nvmlClocksEventReasonSwPowerCap)
        self.assertLess(truth(1)["die"], 50)

    def test_a_clock_lock_slows(self):
        simctl("time-scale", 0)
        simctl("set", "--gpu", 0, "load=1.0")
        before = nvml.nvmlDeviceGetPowerUsage(self.gpus[0])
        nvml.nvmlDeviceSetGpuLockedClocks(self.gpus[0], 210, 800)
        self.assertEqual(nvml.nvmlDeviceGetClockInfo(self.gpus[0], nvml.NVML_CLOCK_SM), 800)
        self.assertEqual(truth()["sm_lock_mhz"], [210, 800])
        self.assertLess(nvml.nvmlDeviceGetPowerUsage(self.gpus[0]), 0.6 * before)
        nvml.nvmlDeviceResetGpuLockedClocks(self.gpus[0])
        self.assertGreater(nvml.nvmlDeviceGetClockInfo(self.gpus[0], nvml.NVML_CLOCK_SM), 1300)
        with self.refused(nvml.NVML_ERROR_INVALID_ARGUMENT):
            nvml.nvmlDeviceSetGpuLockedClocks(self.gpus[0], 900, 800)

    def test_energy_is_power_over_time(self):
        simctl("time-scale", 0)
        before = nvml.nvmlDeviceGetTotalEnergyConsumption(self.gpus[0])
        drawn = truth()["draw_watts"]
        simctl("advance", 100)
        used = nvml.nvmlDeviceGetTotalEnergyConsumption(self.gpus[0]) - before
        self.assertAlmostEqual(used / 1000, drawn * 100, delta=1)


if __name__ == "__main__":
    unittest.main()
