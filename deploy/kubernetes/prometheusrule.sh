#!/bin/sh
# Prints prometheusrule.yaml: the rules of alerts/ as the Prometheus operator takes them.
#   ./prometheusrule.sh > prometheusrule.yaml
set -eu
cd "$(dirname "$0")"
cat <<'HEAD'
# Made by prometheusrule.sh from alerts/thermal-guard.rules.yml: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: thermal-guard
  namespace: thermal-guard
spec:
HEAD
sed -n '/^groups:/,$ { s/^\(.\)/  \1/; p; }' ../../alerts/thermal-guard.rules.yml
