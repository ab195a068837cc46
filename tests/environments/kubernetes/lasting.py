"""Steps: what happens to a throttled card while the guard's pod, its release and its node change."""

import json
import time

import world as w
from steps import expect, step, until

it: w.World = None


def throttle_goes_on(watch: w.Watch, before: dict):
    """After something replaced the pod: the next one has it all."""
    watch.nothing_raised()
    expect(it.pod()["metadata"]["uid"] != before["metadata"]["uid"], "another pod", "the same")
    journals = list(w.STATE.glob("gpus/*.json"))
    expect(len(journals) == 1, "one journal on the node", journals)
    journal = json.loads(journals[0].read_text(encoding="utf-8"))
    expect(journal["limit"]["original_milliwatts"] == w.ORIGINAL * 1000, f"{w.ORIGINAL} W in the journal", journal["limit"])
    expect(it.limit() < w.ORIGINAL - 1, "a card that is still throttled", it.limit())


# Prometheus gives an alert four resend delays to live, and the operator leaves those at a minute. Nobody resolves an alert whose
# rules have gone with the release of an earlier step: it stays that long, and its lease a pull longer.
FORGOTTEN = 4 * 60 + 60


def unleased_since(moment: float) -> bool:
    """No alert holds the card, by a pull since then: a new pod knows of no alert before its first."""
    return it.last_pull() > moment and it.leases() == [0, 0]


def given_back():
    it.cool()
    began = time.time()
    until("no lease", lambda: unleased_since(began), FORGOTTEN, told=lambda: f"{it.leases()}; {it.monitoring.firing()}; {it.said()}")
    until(f"{w.ORIGINAL} W on a card that is cool", lambda: it.limit() == w.ORIGINAL, 240, told=it.said)


@step("a pod deleted in mid-throttle: nothing is raised, the next pod goes on and gives back exactly what was")
def pod_deleted():
    it.throttling(w.BEYOND)
    before = it.pod()
    with w.Watch(it) as watch:
        it.node.kubectl("delete", "pod", "-n", w.NAMESPACE, before["metadata"]["name"])
        it.until_ready()
        until("a guard that throttles", lambda: it.metric("thermal_guard_state", 'state="normal"') == 0, 30, told=it.said)
    throttle_goes_on(watch, before)
    given_back()


@step("a pod killed in mid-throttle, without a word: the same")
def pod_killed():
    it.throttling(w.BEYOND)
    before = it.pod()
    with w.Watch(it) as watch:
        it.node.kubectl("delete", "pod", "-n", w.NAMESPACE, before["metadata"]["name"], "--grace-period=0", "--force")
        until("another pod", lambda: it.ready() and it.pod()["metadata"]["uid"] != before["metadata"]["uid"], 90, told=it.said)
    throttle_goes_on(watch, before)


@step("`helm upgrade` to another image in mid-throttle: the same; `helm rollback` to the first: the same again")
def upgraded():
    it.throttling(w.BEYOND)
    before = it.pod()
    with w.Watch(it) as watch:
        it.upgrade("mode=actuating", *w.OPERATOR, "image.tag=0.1.1")
        it.until_ready()
    expect(it.pod()["spec"]["containers"][0]["image"].endswith(":0.1.1"), "the new image", it.pod()["spec"]["containers"][0]["image"])
    throttle_goes_on(watch, before)
    before = it.pod()
    with w.Watch(it) as watch:
        it.helm("rollback")
        it.until_ready()
    expect(it.pod()["spec"]["containers"][0]["image"].endswith(":0.1.0"), "the first image", it.pod()["spec"]["containers"][0]["image"])
    throttle_goes_on(watch, before)
    given_back()


@step("a new configuration in mid-throttle is a new pod, which goes on")
def configured():
    it.throttling(w.BEYOND)
    before = it.pod()
    with w.Watch(it) as watch:
        it.upgrade("mode=actuating", *w.OPERATOR, "config.poll_interval=500ms")
        it.until_ready()
    it.installed = None
    throttle_goes_on(watch, before)


@step("the kubelet restarted in mid-throttle: the same pod goes on, without a restart")
def kubelet_restarted():
    it.throttling(w.BEYOND)
    before = it.pod()
    with w.Watch(it) as watch:
        it.node.restart_kubelet()
        until("a pod that is ready", it.ready, 90, told=it.said)
    watch.nothing_raised()
    now = it.pod()
    expect(now["metadata"]["uid"] == before["metadata"]["uid"], "the same pod", "another")
    restarts = now["status"]["containerStatuses"][0]["restartCount"]
    expect(restarts == 0, "no restart", restarts)


@step("`helm uninstall` of a cool guard leaves nothing: limit, journal, objects")
def uninstalled_cool():
    it.throttling()
    given_back()
    it.helm("uninstall")
    it.installed = None
    expect(it.limit() == w.ORIGINAL, "the original limit", it.limit())
    left = it.node.kubectl("get", "all,configmap,serviceaccount,podmonitor,prometheusrule,role,rolebinding", "-n", w.NAMESPACE, "-o", "name").stdout.split()
    left = [name for name in left if "kube-root-ca" not in name and name != "serviceaccount/default" and not name.startswith("pod/")]
    expect(not left, "no object", left)


@step("`helm uninstall` while hot: nothing is raised, the card stays capped and the notes have said so; the documented commands give it back")
def uninstalled_hot():
    it.throttling(w.BEYOND)
    notes = it.node.helm("get", "notes", w.RELEASE, "-n", w.NAMESPACE).stdout
    expect("stays capped" in notes and "Uninstalling" in notes, "a note about hot cards", notes[-500:])
    with w.Watch(it) as watch:
        it.helm("uninstall")
        until("no pod", lambda: not it.node.get("pods", "-n", w.NAMESPACE)["items"], 90, told=it.said)
    it.installed = None
    watch.nothing_raised()
    expect(list(w.STATE.glob("gpus/*.json")), "a journal on the node", "none")
    give_back()


def restoring() -> bool:
    pods = it.node.pods(w.NAMESPACE, "app.kubernetes.io/name=thermal-guard-give-back")
    return any("running" in one["state"] for pod in pods for one in pod["status"].get("initContainerStatuses", []))


def give_back():
    """docs/fleet.md, "Uninstalling", from a card that is still hot."""
    rendered = it.node.helm("template", w.RELEASE, it.chart, "--namespace", w.NAMESPACE, "--set=giveBack=true",
                            "--show-only=templates/give-back-config.yaml", "--show-only=templates/give-back.yaml").stdout
    daemonset = f"daemonset/{w.RELEASE}-give-back"
    it.node.apply(rendered)
    try:
        capped = it.limit()
        until("a pod that waits", restoring, 60, told=it.said)
        time.sleep(5)
        expect(it.limit() == capped, f"{capped} W as long as it is hot", it.limit())
        it.cool()
        it.node.kubectl("-n", w.NAMESPACE, "rollout", "status", daemonset, "--timeout=90s")
        expect(it.limit() == w.ORIGINAL, f"{w.ORIGINAL} W", it.limit())
    finally:
        it.node.kubectl("-n", w.NAMESPACE, "delete", daemonset, f"configmap/{w.RELEASE}-give-back", "--wait", check=False)
