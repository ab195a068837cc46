"""Tries what a service may and may not, and writes what came of each as JSON: "ok" or the error's name. It is run twice: by the
unit, under its sandbox, and beside it, where all of it is possible; else a refusal would say nothing about the sandbox."""

import ctypes
import errno
import json
import os
import socket
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
# Of x86-64.
ADJTIMEX, DELETE_MODULE, SETHOSTNAME, PERSONALITY, IOPERM = 159, 176, 170, 135, 173
CLONE_NEWNS, WRITABLE_AND_EXECUTABLE, PRIVATE_ANONYMOUS, LINUX32 = 0x20000, 7, 0x22, 8


def call(function, *arguments):
    if function(*arguments) in (-1, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "")


def system_call(number, *arguments):
    return lambda: call(LIBC.syscall, ctypes.c_long(number), *arguments)


def write(path):
    def attempt():
        # Only opened: nothing is left changed where it succeeds.
        existed = os.path.exists(path)
        with open(path, "ab"):
            pass
        if not existed:
            os.unlink(path)
    return attempt


def map_both():
    LIBC.mmap.restype = ctypes.c_size_t
    call(LIBC.mmap, None, ctypes.c_size_t(4096), WRITABLE_AND_EXECUTABLE, PRIVATE_ANONYMOUS, -1, ctypes.c_long(0))


def mount():
    place = tempfile.mkdtemp(dir="/dev/shm")
    try:
        call(LIBC.mount, b"none", place.encode(), b"tmpfs", 0, None)
        LIBC.umount2(place.encode(), 2)
    finally:
        os.rmdir(place)


def set_user_id_bit():
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        os.chmod(file.name, 0o4755)


def device_node():
    place = "/dev/shm/probe-node"
    os.mknod(place, 0o600 | 0o020000, os.makedev(195, 255))
    os.unlink(place)


def give_away():
    """What an application's file needs."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        os.chown(file.name, 65534, 65534)


def in_a_child(attempt):
    """What would stay in force for the attempts after it."""
    def forked():
        child = os.fork()
        if child == 0:
            try:
                attempt()
                os._exit(0)
            except OSError as error:
                os._exit(error.errno or 255)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise OSError(code, "")
    return forked


def read(path):
    return lambda: open(path, "rb").close()


def sock(family, kind=socket.SOCK_STREAM):
    return lambda: socket.socket(family, kind).close()


ATTEMPTS = {
    "write /etc": write("/etc/probe"), "write /usr": write("/usr/probe"), "write /srv": write("/srv/probe"),
    "write /boot": write("/boot/probe"), "write /home": write("/home/probe"), "see another's /tmp": read("/tmp/of-another"),
    "write /proc/sys": write("/proc/sys/kernel/domainname"), "read /dev/kmsg": read("/dev/kmsg"),
    "mount": mount, "unshare": in_a_child(lambda: call(LIBC.unshare, CLONE_NEWNS)), "writable and executable memory": map_both,
    "make a device": device_node, "set-user-id bit": set_user_id_bit,
    "affinity": in_a_child(lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))),
    "clock": system_call(ADJTIMEX, ctypes.create_string_buffer(512)), "modules": system_call(DELETE_MODULE, b"none-such", 0),
    "ports": in_a_child(system_call(IOPERM, 0x80, 1, 1)), "host name": system_call(SETHOSTNAME, b"gpu1", 4),
    "personality": in_a_child(system_call(PERSONALITY, LINUX32)), "become another": in_a_child(lambda: os.setuid(65534)),
    "netlink": sock(socket.AF_NETLINK, socket.SOCK_RAW), "packets": sock(socket.AF_PACKET, socket.SOCK_RAW),
    "write the state": write("/var/lib/thermal-guard/probe"), "write the locks": write("/run/thermal-guard/probe"),
    "boot id": read("/proc/sys/kernel/random/boot_id"), "PCI bus": lambda: os.listdir("/sys/bus/pci/devices"),
    "internet socket": sock(socket.AF_INET), "internet socket, six": sock(socket.AF_INET6), "local socket": sock(socket.AF_UNIX),
    "give a file away": give_away,
}

# Only where the kernel is the machine's own: in a container both are out of reach anyway.
DEVICES = {
    "NVIDIA's device": read("/dev/of-nvidia"), "another device": read("/dev/of-another"), "memory": read("/dev/mem"),
    "disk": read("/dev/vda"),
    "real time": in_a_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
}


def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "ok"


with open("/proc/self/status", encoding="utf-8") as status:
    about = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
attempts = DEVICES if sys.argv[2:] == ["devices"] else ATTEMPTS
said = {name: outcome(attempt) for name, attempt in attempts.items()}
said["capabilities"], said["no new privileges"] = about["CapEff"], about["NoNewPrivs"]
with open(sys.argv[1], "w", encoding="utf-8") as out:
    json.dump(said, out)
