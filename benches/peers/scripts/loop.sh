#!/bin/bash
# What people run instead of an exporter: a loop that asks nvidia-smi every two seconds, writes down
# what it saw, and sets a fixed limit above a fixed temperature. Written for this comparison, with
# the period and the numbers of a published script of that kind.
alert=78 safe=72 throttled=0
while :; do
    degrees=$(nvidia-smi --query-gpu=temperature.gpu --format=csv,noheader -i 0)
    echo "$degrees" >"$STATUS"
    echo "$(date +%FT%T) $degrees" >>"$STATUS.log"
    if ((degrees >= alert)); then
        nvidia-smi -pl 120
        throttled=1
    elif ((throttled && degrees <= safe)); then
        nvidia-smi -pl 250
        throttled=0
    fi
    sleep 2
done
