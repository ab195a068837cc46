#!/usr/bin/env bash
# Runs a command while this machine's kernel runs aarch64 programs by qemu-user, in chroots, too (binfmt_misc). Where Debian's
# qemu-user-static has set that up, nothing changes; else it holds for the time of the command. As root.
#   deploy/packages/emulate.sh COMMAND…
set -euo pipefail
[[ $(uname -m) != aarch64 ]] || exec "$@"

misc=/proc/sys/fs/binfmt_misc
name=qemu-aarch64
mounted=
registered=

cleanup() {
    [[ -z $registered ]] || echo -1 >"$misc/$name"
    [[ -z $mounted ]] || umount "$misc"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [[ ! -e $misc/register ]]; then
    mount -t binfmt_misc none "$misc"
    mounted=yes
fi
if [[ ! -e $misc/$name ]]; then
    # The head of an ELF file for aarch64, and which bits of it count. F: the interpreter is opened now, outside of any chroot.
    head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":$name:M::$head:$mask:$(command -v qemu-aarch64-static):F" >"$misc/register"
    registered=yes
fi
"$@"
