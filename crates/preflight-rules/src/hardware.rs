//! The GPUs that the platform offers on one node.
//!
//! Data: `hardware/together.toml`, every figure with its source and date.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use preflight_model::memory::MIB;
use serde::Deserialize;

use crate::date;
use crate::live::Live;
use crate::policy::Policy;
use crate::report::HardwareUsed;

/// Most memory of a GPU and most GPUs of a node that a table may name: a hundred times, and four
/// times, what exists.
const MEMORY_MIB_MAX: u64 = 32 << 20;
const GPUS_MAX: u64 = 32;

/// A table of GPUs and of where they are offered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    #[serde(rename = "gpu")]
    gpus: Vec<Gpu>,
    #[serde(rename = "offer")]
    offers: Vec<Offer>,
    /// What each policy offers, in the order of [`Hardware::options`].
    #[serde(skip)]
    options: BTreeMap<String, Vec<HardwareOption>>,
}

/// A kind of GPU.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Short name, lower case, as in `--gpu`.
    pub kind: String,
    /// What the driver calls it.
    pub name: String,
    /// Total memory as nvidia-smi shows it.
    pub memory_mib: u64,
    /// Where that was read.
    pub memory_source: String,
    /// Total memory as CUDA reports it to a program, of which the engine takes its share.
    pub visible_mib: u64,
    /// Where that was read.
    pub visible_source: String,
    /// When.
    pub as_of: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offer {
    policy: String,
    gpu: String,
    id: String,
    counts: Vec<u64>,
    source: String,
    as_of: String,
    /// What to run to serve an uploaded model on it: `{id}` is filled in.
    #[serde(default)]
    endpoint: Vec<String>,
}

/// One choice of hardware: some GPUs of one kind on one node.
#[derive(Debug, Clone, PartialEq)]
pub struct HardwareOption {
    /// What the platform calls it.
    pub id: String,
    /// The kind of GPU.
    pub gpu: Gpu,
    /// How many.
    pub count: u64,
    /// Where the offer was read.
    pub source: String,
    /// When.
    pub as_of: String,
    /// What to run to serve an uploaded model on it.
    pub endpoint: Vec<String>,
}

impl HardwareOption {
    /// Memory of one GPU as CUDA reports it, in bytes.
    pub fn visible_bytes(&self) -> u64 {
        self.gpu.visible_mib * MIB
    }
}

/// Where the data of the program itself is from, in the words of the report.
pub const BUILT_IN: &str = "built-in";

/// The hardware that counts under a policy: what the API listed, or else the program's own table.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered<'a> {
    /// What is known, fewest GPUs first, then least memory.
    pub options: Cow<'a, [HardwareOption]>,
    /// Ids that the API lists with a GPU of which nothing is known here.
    pub unknown: Vec<&'a str>,
    /// Latest date that any of it stands for, or `unknown`.
    pub as_of: &'a str,
    /// Where it is from, in the words of the report.
    pub origin: &'a str,
}

impl<'a> Offered<'a> {
    /// `None` where the policy does not say which hardware there is.
    pub fn under(policy: &Policy, live: Option<&'a Live>) -> Option<Self> {
        let table = policy.platform.hardware.known()?;
        let listed = live.and_then(|live| Some((live, live.hardware(table)?)));
        Some(match listed {
            Some((live, (options, unknown))) => Self {
                options: options.into(),
                unknown,
                as_of: &live.catalog.as_of,
                origin: &live.origin,
            },
            None => Self {
                options: Hardware::built_in().options(table).into(),
                unknown: Vec::new(),
                as_of: Hardware::built_in().as_of(table),
                origin: BUILT_IN,
            },
        })
    }

    /// As reports name it.
    pub fn used(&self, now: Option<i64>) -> HardwareUsed {
        HardwareUsed {
            is_stale: date::is_stale(self.as_of, now),
            as_of: self.as_of.into(),
            origin: self.origin.into(),
        }
    }
}

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HardwareError {
    /// Not TOML, or not of the shape of a hardware table.
    #[error("the hardware table is not valid: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("the hardware table is not valid: {0}")]
    Value(String),
}

static TABLE: LazyLock<Hardware> = LazyLock::new(|| {
    Hardware::parse(include_str!("../hardware/together.toml"))
        .expect("the table is part of the program and tested")
});

impl Hardware {
    /// The table that comes with the program.
    pub fn built_in() -> &'static Self {
        &TABLE
    }

    /// Reads a table.
    pub fn parse(text: &str) -> Result<Self, HardwareError> {
        let mut table: Self = toml::from_str(text)?;
        table.validate().map_err(HardwareError::Value)?;
        for offer in &table.offers {
            let options = table.options_of(offer);
            let of_policy = table.options.entry(offer.policy.clone()).or_default();
            of_policy.extend(options);
        }
        for options in table.options.values_mut() {
            options.sort_by(|a, b| {
                let size = |option: &HardwareOption| (option.count, option.gpu.visible_mib);
                size(a).cmp(&size(b)).then_with(|| a.id.cmp(&b.id))
            });
        }
        Ok(table)
    }

    /// The GPUs it knows, in its order.
    pub fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }

    /// What a policy offers, fewest GPUs first, then least memory. Empty for a policy that the table
    /// does not name.
    pub fn options(&self, policy: &str) -> &[HardwareOption] {
        self.options.get(policy).map_or(&[], Vec::as_slice)
    }

    /// The latest date that what a policy offers stands for; `unknown` where it offers nothing.
    fn as_of(&self, policy: &str) -> &str {
        let offers = self.offers.iter().filter(|offer| offer.policy == policy);
        let dates = offers.map(|offer| offer.as_of.as_str());
        dates.max().unwrap_or("unknown")
    }

    fn options_of(&self, offer: &Offer) -> Vec<HardwareOption> {
        let Some(gpu) = self.gpus.iter().find(|gpu| gpu.kind == offer.gpu) else {
            return Vec::new();
        };
        let option = |&count: &u64| {
            let id = offer.id.replace("{count}", &count.to_string());
            let filled = |line: &String| line.replace("{id}", &id);
            HardwareOption {
                endpoint: offer.endpoint.iter().map(filled).collect(),
                id,
                gpu: gpu.clone(),
                count,
                source: offer.source.clone(),
                as_of: offer.as_of.clone(),
            }
        };
        offer.counts.iter().map(option).collect()
    }

    fn validate(&self) -> Result<(), String> {
        for (at, gpu) in self.gpus.iter().enumerate() {
            let kind = &gpu.kind;
            if self.gpus[..at].iter().any(|earlier| earlier.kind == *kind) {
                return Err(format!("the GPU `{kind}` stands there twice"));
            }
            if gpu.visible_mib == 0
                || gpu.memory_mib > MEMORY_MIB_MAX
                || gpu.visible_mib > gpu.memory_mib
            {
                return Err(format!("the memory of `{kind}` cannot be"));
            }
        }
        for offer in &self.offers {
            let Offer { gpu, id, .. } = offer;
            if !self.gpus.iter().any(|known| known.kind == *gpu) {
                return Err(format!(
                    "`{id}` offers `{gpu}`, which the table does not describe"
                ));
            }
            if !id.contains("{count}") {
                return Err(format!("the id `{id}` has no `{{count}}`"));
            }
            if offer.counts.is_empty() || offer.counts.iter().any(|n| !(1..=GPUS_MAX).contains(n)) {
                return Err(format!("the counts of `{id}` are not 1 to {GPUS_MAX}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_api_the_programs_own_hardware_counts() {
        let policy = Policy::load_shipped("together-2025-11").unwrap();
        let offered = Offered::under(policy, None).unwrap();
        assert_eq!((offered.options.len(), offered.unknown.len()), (16, 0));
        let used = offered.used(None);
        assert_eq!(
            (used.as_of.as_str(), used.origin.as_str()),
            ("2026-04-28", "built-in")
        );
    }

    #[test]
    fn each_policy_has_its_own_ids() {
        let ids = |policy| -> Vec<String> {
            let options = Hardware::built_in().options(policy);
            options.iter().map(|option| option.id.clone()).collect()
        };
        let first = ids("together-2025-11");
        assert_eq!(first.len(), 16);
        assert_eq!(
            first[0], "1x_nvidia_a100_80gb_sxm",
            "least memory of one GPU"
        );
        assert!(first.contains(&"8x_nvidia_h100_80gb_sxm".into()));
        let second = ids("together-2026-07");
        assert!(second.contains(&"8xnvidia-b300-280gb".into()));
        assert!(
            !second.contains(&"8xnvidia-gb300-280gb".into()),
            "four on a node"
        );
        assert!(ids("unheard-of").is_empty());
    }

    #[test]
    fn every_figure_has_a_source_and_a_date() {
        let table = Hardware::built_in();
        for gpu in table.gpus() {
            assert!(gpu.memory_source.contains("http"), "{}", gpu.kind);
            assert!(
                !gpu.visible_source.is_empty() && gpu.as_of.len() == 10,
                "{}",
                gpu.kind
            );
            // CUDA reports at most 1.1 % less than the driver on every GPU seen.
            assert!(
                (gpu.memory_mib - gpu.visible_mib) * 1000 <= gpu.memory_mib * 11,
                "{}",
                gpu.kind
            );
        }
        for offer in &table.offers {
            assert!(
                offer.source.starts_with("https://") && offer.as_of.len() == 10,
                "{}",
                offer.id
            );
        }
    }

    #[test]
    fn every_option_says_what_to_run() {
        let commands = |policy, id| {
            let options = Hardware::built_in().options(policy);
            let option = options.iter().find(|option| option.id == id);
            option.unwrap().endpoint.clone()
        };
        assert_eq!(
            commands("together-2025-11", "4x_nvidia_h100_80gb_sxm"),
            ["together endpoints create --model MODEL_NAME --hardware 4x_nvidia_h100_80gb_sxm"]
        );
        assert_eq!(
            commands("together-2026-07", "8xnvidia-b200-180gb"),
            [
                "tg models configs MODEL_ID",
                "tg endpoints deploy MODEL_ID --endpoint ENDPOINT_NAME --config CONFIG_ID"
            ]
        );
        for offer in &Hardware::built_in().offers {
            assert!(!offer.endpoint.is_empty(), "{}", offer.id);
        }
    }

    #[test]
    fn a_table_that_cannot_be_is_refused() {
        let table = |gpu: &str, offer: &str| {
            format!(
                "[[gpu]]\nkind = 'x'\nname = 'X'\nmemory_source = ''\nvisible_source = ''\nas_of = ''\n{gpu}\n\
                 [[offer]]\npolicy = 'p'\nsource = ''\nas_of = ''\n{offer}"
            )
        };
        let memory = "memory_mib = 10\nvisible_mib = 9";
        let good = "gpu = 'x'\nid = '{count}x'\ncounts = [1]";
        assert!(Hardware::parse(&table(memory, good)).is_ok());
        for (gpu, offer, message) in [
            (
                "memory_mib = 10\nvisible_mib = 11",
                good,
                "the memory of `x` cannot be",
            ),
            (
                "memory_mib = 10\nvisible_mib = 0",
                good,
                "the memory of `x` cannot be",
            ),
            (
                memory,
                "gpu = 'y'\nid = '{count}y'\ncounts = [1]",
                "offers `y`",
            ),
            (
                memory,
                "gpu = 'x'\nid = 'x'\ncounts = [1]",
                "has no `{count}`",
            ),
            (
                memory,
                "gpu = 'x'\nid = '{count}x'\ncounts = [0]",
                "are not 1 to 32",
            ),
            (
                memory,
                "gpu = 'x'\nid = '{count}x'\ncounts = []",
                "are not 1 to 32",
            ),
            (memory, "gpu = 'x'\nid = 3\ncounts = [1]", "invalid type"),
        ] {
            let error = Hardware::parse(&table(gpu, offer)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
