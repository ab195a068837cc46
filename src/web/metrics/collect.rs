//! Which groups of metrics a scrape asks for.

/// The driver's and each GPU's `up` come with every group: an empty answer would look like a healthy
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collect {
    pub gpu: bool,
    pub guard: bool,
    pub process: bool,
}

impl Collect {
    pub const ALL: Self = Self {
        gpu: true,
        guard: true,
        process: true,
    };

    /// From the `collect[]` of a query; without one, all groups. An error is the name of an unknown
    /// group.
    pub fn from_query(query: &[(String, String)]) -> Result<Self, &str> {
        let mut groups = query
            .iter()
            .filter(|(key, _)| key == "collect[]")
            .map(|(_, group)| group.as_str())
            .peekable();
        if groups.peek().is_none() {
            return Ok(Self::ALL);
        }
        let mut collect = Self {
            gpu: false,
            guard: false,
            process: false,
        };
        for group in groups {
            match group {
                "gpu" => collect.gpu = true,
                "guard" => collect.guard = true,
                "process" => collect.process = true,
                unknown => return Err(unknown),
            }
        }
        Ok(collect)
    }
}
