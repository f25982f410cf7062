#!/usr/bin/env bash
# Runs an image as compose.yaml and kubernetes.yaml do, and fails unless it answers:
#   deploy/check_image.sh [IMAGE] [PORT]          ENGINE="podman --runtime runc" chooses another engine than docker.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-restr} port=${2:-8000} engine=${ENGINE:-docker} name=restr-check-$$
at=http://127.0.0.1:$port
trap '$engine rm -f $name > /dev/null' EXIT

# The host's network, as some engines in CI have no other; a published port differs from it by a NAT alone.
$engine run -d --name $name --network host --read-only --tmpfs /tmp:size=1g --cap-drop all \
    --security-opt no-new-privileges --memory 4g --pids-limit 256 "$image" --port "$port" --workers 2 > /dev/null
for _ in $(seq 120); do
    curl -fs $at/health/ready > /dev/null && break
    sleep 1
done
curl -fs $at/health/ready > /dev/null || { $engine logs $name; echo "not ready after 120 s; see the log above" >&2; exit 1; }

fail() { echo "$1" >&2; exit 1; }
inside() { $engine exec $name "$@"; }
[ "$(inside id -u)" = 10001 ] || fail "runs as $(inside id -u), not as 10001; see USER in deploy/Dockerfile"
inside sh -c '! touch /srv/written 2> /dev/null' || fail "the root can be written to; --read-only did not hold"
inside grep -q '^CapEff:[[:space:]]*0*$' /proc/1/status || fail "the process has capabilities; expected none"
inside sh -c '! python -m pip --version 2> /dev/null' || fail "pip is in the image's environment; it belongs to the first stage"

area() { grep -o '"area":[0-9]*' | cut -d: -f2; }
once=$(curl -fs $at/v1/segment -F image=@examples/coffee.jpg -F text='the cup' | area)
[ "$once" -gt 1000 ] || fail "the cup in examples/coffee.jpg has $once pixels; expected some ten thousand"
kept=$(curl -fs $at/v1/images --data-binary @examples/coffee.jpg -H 'Content-Type: image/jpeg' | sed 's/.*"id":"\([^"]*\)".*/\1/')
for _ in 1 2 3 4 5 6; do # whichever worker answers
    again=$(curl -fs $at/v1/images/"$kept"/segment -H 'Content-Type: application/json' -d '{"text": "the cup"}' | area)
    [ "$again" = "$once" ] || fail "a kept image gave $again pixels, the same image at once $once"
done

curl -s -o /dev/null $at/v1/segment -F image=@examples/coffee.jpg -F text='the cup' -F text='the spoon' -w 'accepted: %{http_code}\n' &
sleep 0.1
$engine stop -t 50 $name > /dev/null
wait $!
status=$($engine inspect -f '{{.State.ExitCode}}' $name)
[ "$status" = 0 ] || fail "ended with $status after SIGTERM; expected 0"
echo "$image: ready, unprivileged, read-only, answers, kept images in every worker, stops with 0"
