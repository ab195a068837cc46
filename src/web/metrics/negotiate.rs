//! Chooses one of the two text formats for a scraper.

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4: for curl, promtool, and scrapers that ask for no format.
    Classic,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// OpenMetrics only if the scraper names it, in this version, and prefers no other text format. A
    /// format that the guard doesn't have (protobuf) plays no part, and a wildcard names nothing.
    pub fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Self {
        let (mut open, mut classic) = (0.0_f64, 0.0_f64);
        for range in accept.flat_map(|value| value.split(',')) {
            let range = MediaRange::parse(range);
            match range.kind.as_str() {
                "application/openmetrics-text" if range.version_is("1.0.0") => {
                    open = open.max(range.quality);
                }
                "text/plain" | "text/*" => classic = classic.max(range.quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= classic {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }
}

struct MediaRange {
    kind: String,
    version: Option<String>,
    quality: f64,
}

impl MediaRange {
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self {
            kind: parts.next().unwrap_or_default().to_ascii_lowercase(),
            version: None,
            quality: 1.0,
        };
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = value.parse().unwrap_or(0.0),
                "version" => range.version = Some(value.to_owned()),
                _ => {}
            }
        }
        range
    }

    fn version_is(&self, ours: &str) -> bool {
        self.version.as_deref().is_none_or(|wanted| wanted == ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_scraper_that_asks_for_openmetrics_gets_it() {
        const PROMETHEUS_2_42: &str = "application/openmetrics-text;version=1.0.0,\
             application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        const PROMETHEUS_3_NATIVE: &str = "application/vnd.google.protobuf;\
             proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,\
             application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.2";
        let open = Format::OpenMetrics;
        let classic = Format::Classic;
        let table = [
            (PROMETHEUS_2_42, open),
            (PROMETHEUS_3, open),
            (PROMETHEUS_3_NATIVE, open),
            ("application/openmetrics-text", open),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", open),
            ("text/plain, application/openmetrics-text", open),
            // curl
            ("*/*", classic),
            ("", classic),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                classic,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", classic),
            ("application/*", classic),
            ("application/openmetrics-text;version=0.0.1", classic),
            ("application/openmetrics-text;version=2.0.0", classic),
            ("application/openmetrics-text;q=0", classic),
            (
                "application/openmetrics-text;q=0.3,text/plain;q=0.4",
                classic,
            ),
            ("application/openmetrics-text;q=banana", classic),
        ];
        for (accept, expected) in table {
            assert_eq!(
                Format::negotiate([accept].into_iter()),
                expected,
                "{accept}"
            );
        }
        assert_eq!(
            Format::negotiate([].into_iter()),
            classic,
            "no Accept at all"
        );
        let lines = ["text/plain;q=0.5", "application/openmetrics-text"];
        assert_eq!(
            Format::negotiate(lines.into_iter()),
            open,
            "two header lines"
        );
    }
}
