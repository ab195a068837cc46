#!/bin/sh
# Prints the manifests of this folder anew, as the Helm chart renders them: change the chart, then run this.
#   deploy/kubernetes/generate.sh [FOLDER]      wants helm; by default into this folder
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}

# Copies: Helm and archives lose links to what lies outside of the chart. deploy/check.sh compares.
cp "$here/../../alerts/thermal-guard.rules.yml" "$here/../../dashboards/thermal.json" "$here/../../dashboards/fleet.json" \
    "$here/../helm/thermal-guard/files/"

# object FILE TEMPLATE HEAD VALUES…: one object, without what only Helm asks for.
object() {
    file=$1 template=$2 head=$3
    shift 3
    {
        printf '# Made by generate.sh from the chart in deploy/helm/thermal-guard: change it there.\n'
        [ -z "$head" ] || printf '%s\n' "$head"
        helm template thermal-guard "$here/../helm/thermal-guard" --namespace thermal-guard "$@" \
            --show-only "templates/$template.yaml" |
            sed '/^---$/d; /^# Source: /d; /managed-by: Helm$/d; /helm.sh\/chart: /d; /app.kubernetes.io\/version: /d
                 /^      annotations:$/,/^        checksum\/config: /d' |
            awk 'NF { while (blank > 0) { print ""; blank-- } seen = 1; print; next } seen { blank++ }'
    } >"$out/$file.yaml"
}

object serviceaccount serviceaccount ''
object configmap configmap ''
object networkpolicy networkpolicy '' --set networkPolicy.enabled=true
object daemonset-read-only daemonset '# Read only: all of the exporter and every decision, no root, no capability, nothing of the host. Begin with this one.'
object daemonset-actuating daemonset '# Actuating: sets limits and clock locks, so it is root with CAP_SYS_ADMIN; the driver takes writes from nobody else.
# Whoever may change this DaemonSet or its ConfigMap is root on the GPU nodes.' --set mode=actuating
object prometheus-role prometheus-role '' --set prometheusAccess.enabled=true
object prometheus-rolebinding prometheus-rolebinding '' --set prometheusAccess.enabled=true
object podmonitor podmonitor '' --set podMonitor.enabled=true
object prometheusrule prometheusrule '' --set prometheusRule.enabled=true
object alertmanagerconfig alertmanagerconfig '' --set alertmanagerConfig.enabled=true
object give-back-config give-back-config '' --set giveBack=true,mode=actuating
object give-back give-back '' --set giveBack=true,mode=actuating
