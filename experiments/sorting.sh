#!/bin/sh
# Generate random numbers, optionally sorted and without duplicates, and print their size after compression, in bytes.
seed=0 lines=1000 order=cat unique=cat
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=$2; shift ;;
        --lines) lines=$2; shift ;;
        --sort) order='sort -n' ;;
        --no-sort) order=cat ;;
        --unique) unique="awk !seen[\$0]++" ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
numbers=$(awk -v seed="$seed" -v lines="$lines" \
    'BEGIN { srand(1000 * seed + 1); for (i = 0; i < lines; i++) print int(5000 * rand()) }')
echo "numbers of seed $seed" >&2
echo "size: $(printf '%s\n' "$numbers" | $order | $unique | gzip -c | wc -c | tr -d ' ')"
