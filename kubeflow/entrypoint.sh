#!/bin/sh
# A Beam runner gives options only (--id=…, --worker_pool): that is a worker, which Beam's boot starts.
# Anything else is a command. Vertex AI and Kubeflow Pipelines name theirs and never come by here.
set -eu
case ${1:---help} in
    --help) exec permafrost --help ;;
    -*) exec /opt/apache/beam/boot "$@" ;;
    *) exec "$@" ;;
esac
