//! The receivers of an Alertmanager configuration: URL and credentials of each guard's hook.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::node::{Fleet, Node};
use crate::cli::flags::Flags;

const TOKEN: &str = "/etc/alertmanager/thermal-guard.token";
const CA: &str = "/etc/alertmanager/thermal-guard-ca.pem";

/// In the token's path: the node's host.
const HOST: &str = "{host}";

/// Paths on the Alertmanager host.
pub(crate) struct Credentials {
    token: String,
    ca: Option<PathBuf>,
}

impl Credentials {
    pub(crate) fn of(flags: &Flags) -> anyhow::Result<Self> {
        let token = flags.token_file.as_deref().unwrap_or(Path::new(TOKEN));
        let ca = flags.ca_file.clone();
        quoted("--token-file", token)?;
        ca.as_deref()
            .map(|ca| quoted("--ca-file", ca))
            .transpose()?;
        let token = token.to_string_lossy().into_owned();
        Ok(Self { token, ca })
    }

    /// A receiver per node. Alertmanager knows no other way before 0.31.
    pub(crate) fn per_node(&self, fleet: &Fleet) -> anyhow::Result<String> {
        let mut text = String::from(
            "\x20 # One for each node. The token is the content of <state.dir>/hook-token
  # there, or the same for all by hook.bearer_token_file. From Alertmanager 0.28
  # on add `timeout: 2s` under `url`: a hook that hangs is then tried again.
",
        );
        if self.ca.is_none() {
            text.push_str(
                "  # Across a network use https: see --web.config.file, and --ca-file here.\n",
            );
        }
        if fleet.nodes.len() > 1 && !self.token.contains(HOST) {
            text.push_str(
                "  # Here all have the same token: name its file in each guard's
  # hook.bearer_token_file. Where each guard has its own, give
  # --token-file='/etc/alertmanager/{host}.token'.
",
            );
        }
        for node in &fleet.nodes {
            self.receiver(&mut text, node)?;
        }
        Ok(text)
    }

    fn receiver(&self, text: &mut String, node: &Node) -> anyhow::Result<()> {
        let token = self.token.replace(HOST, node.host.trim_matches(['[', ']']));
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        writeln!(
            text,
            "  - name: {}\n    webhook_configs:\n      - url: {scheme}://{node}/hook",
            name(node)
        )?;
        text.push_str(&http_config(&token, self.ca.as_deref())?);
        Ok(())
    }

    /// One receiver that takes the address from the alert.
    pub(crate) fn templated(&self) -> anyhow::Result<String> {
        let one =
            "every guard gets the same token where the address is templated; give a path without";
        ensure!(!self.token.contains(HOST), "--token-file: {one} {HOST}");
        let ca = self.ca.as_deref().unwrap_or(Path::new(CA));
        let config = http_config(&self.token, Some(ca))?;
        Ok(format!(
            "\x20 # One for all nodes: the address comes from the alert's own label. Who can
  # post alerts to this Alertmanager (by default, everybody who can reach its
  # port) can name any address there, and gets the token sent to it, if nothing
  # stands in between. So:
  # - only instances in the list `guards` above come here: list addresses, no
  #   patterns like `.*`;
  # - https only, with a CA that signs nothing but guards: TLS fails before the
  #   token is sent;
  # - no redirects;
  # - close the API (--web.config.file of Alertmanager), and let it out to the
  #   guards' ports only.
  # Better than a token is a certificate: cert_file and key_file in tls_config,
  # its name in the guards' hook.client_allowed_sans, and no `authorization`
  # here.
  - name: guards
    webhook_configs:
      - url: 'https://{{{{ .GroupLabels.instance }}}}/hook'
        timeout: 2s         # a hook that hangs is tried again
{config}"
        ))
    }
}

/// Of a node's receiver, quoted.
pub(crate) fn name(node: &Node) -> String {
    format!("'guard-{node}'")
}

fn http_config(token: &str, ca: Option<&Path>) -> anyhow::Result<String> {
    let token = quoted("--token-file", Path::new(token))?;
    let mut text = format!(
        "        \
        send_resolved: true
        max_alerts: 0       # never cut a notification short
        http_config:
          follow_redirects: false     # never carry the token elsewhere
          authorization: {{type: Bearer, credentials_file: {token}}}
"
    );
    if let Some(ca) = ca {
        writeln!(
            text,
            "          tls_config: {{ca_file: {}}}",
            quoted("--ca-file", ca)?
        )?;
    }
    Ok(text)
}

/// A shared flag that this file has no use for: ignored, it would seem to be in force.
pub(crate) fn refuse(flag: &str, given: Option<&Path>, why: &str) -> anyhow::Result<()> {
    ensure!(given.is_none(), "{flag}: {why}");
    Ok(())
}

/// A flag's path for YAML: in quotes, unless it is as plain as most are.
pub(crate) fn quoted(flag: &str, path: &Path) -> anyhow::Result<String> {
    let said = path.display();
    let text = path
        .to_str()
        .with_context(|| format!("{flag}={said}: not UTF-8, so YAML can't contain it"))?;
    ensure!(
        path.is_absolute(),
        "{flag}={said}: a path from the root is wanted, as it will be on the host that reads this file"
    );
    ensure!(
        !text.chars().any(char::is_control),
        "{flag}={text:?}: a control character; wanted: a path without"
    );
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}
