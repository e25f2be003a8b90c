//! `container` of a recording: the archive that the repository came in.

use preflight_model::container::{
    ArchiveFormat, Container, ODDITIES_MAX, Oddity, OddityKind, Validity,
};
use preflight_model::fact::Fact;
use serde::{Deserialize, Serialize};

/// The archive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    name: String,
    /// The usual ending of the format, empty for what is no archive; null where it was not read.
    format: Option<String>,
    /// Why `format` is null.
    reason: Option<String>,
    validity: ValidityRecord,
    broken: Option<String>,
    wrapped_in: Option<String>,
    #[serde(default)]
    oddities: Vec<OddityRecord>,
    #[serde(default)]
    more_oddities: u64,
}

/// How long its address can be used; never the address itself.
#[derive(Debug, Serialize, Deserialize)]
struct ValidityRecord {
    state: ValidityState,
    ends_at: Option<i64>,
    #[serde(default)]
    is_temporary: bool,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ValidityState {
    NoAddress,
    Unsigned,
    Until,
    Unclear,
}

#[derive(Debug, Serialize, Deserialize)]
struct OddityRecord {
    member: String,
    kind: String,
}

impl ValidityRecord {
    fn new(validity: &Validity) -> Self {
        let state = |state| Self {
            state,
            ends_at: None,
            is_temporary: false,
            reason: None,
        };
        match validity {
            Validity::NoAddress => state(ValidityState::NoAddress),
            Validity::Unsigned => state(ValidityState::Unsigned),
            Validity::Until {
                ends_at,
                is_temporary,
            } => Self {
                ends_at: Some(*ends_at),
                is_temporary: *is_temporary,
                ..state(ValidityState::Until)
            },
            Validity::Unclear(reason) => Self {
                reason: Some(reason.clone()),
                ..state(ValidityState::Unclear)
            },
        }
    }

    fn validity(self) -> Result<Validity, String> {
        Ok(match self.state {
            ValidityState::NoAddress => Validity::NoAddress,
            ValidityState::Unsigned => Validity::Unsigned,
            ValidityState::Until => Validity::Until {
                ends_at: self
                    .ends_at
                    .ok_or("the `validity` of its `container` has no `ends_at`")?,
                is_temporary: self.is_temporary,
            },
            ValidityState::Unclear => Validity::Unclear(
                self.reason
                    .unwrap_or_else(|| "the recording does not say why".into()),
            ),
        })
    }
}

impl ContainerRecord {
    /// `None` for what came in no archive.
    pub(super) fn of(container: &Fact<Container>) -> Result<Option<Self>, String> {
        let container = match container {
            Fact::Known(container) => container,
            Fact::Absent => return Ok(None),
            Fact::Malformed(_) | Fact::Unavailable(_) => {
                return Err("it is not known whether it came in an archive".into());
            }
        };
        let (format, reason) = match &container.format {
            Fact::Known(format) => (Some(format.as_str().to_owned()), None),
            Fact::Unavailable(reason) => (None, Some(reason.clone())),
            Fact::Absent | Fact::Malformed(_) => (None, None),
        };
        let oddities = container.oddities.iter().map(|oddity| OddityRecord {
            member: oddity.member.clone(),
            kind: oddity.kind.as_str().into(),
        });
        Ok(Some(Self {
            name: container.name.clone(),
            format,
            reason,
            validity: ValidityRecord::new(&container.validity),
            broken: container.broken.clone(),
            wrapped_in: container.wrapped_in.clone(),
            oddities: oddities.collect(),
            more_oddities: container.more_oddities,
        }))
    }

    /// The archive, checked.
    pub(super) fn container(self) -> Result<Container, String> {
        let format = match self.format {
            Some(ending) => Fact::Known(ArchiveFormat::parse(&ending).ok_or_else(|| {
                format!(
                    "the `format` of its `container` is `{}`",
                    ending.escape_debug()
                )
            })?),
            None => Fact::Unavailable(
                self.reason
                    .unwrap_or_else(|| "the recording does not say why".into()),
            ),
        };
        if self.oddities.len() > ODDITIES_MAX {
            return Err(format!(
                "its `container` has more than {ODDITIES_MAX} `oddities`"
            ));
        }
        let oddity = |record: OddityRecord| match OddityKind::parse(&record.kind) {
            Some(kind) => Ok(Oddity {
                member: record.member,
                kind,
            }),
            None => Err(format!(
                "the `kind` of an oddity of its `container` is `{}`",
                record.kind.escape_debug()
            )),
        };
        Ok(Container {
            name: self.name,
            format,
            validity: self.validity.validity()?,
            broken: self.broken,
            wrapped_in: self.wrapped_in,
            oddities: self
                .oddities
                .into_iter()
                .map(oddity)
                .collect::<Result<_, _>>()?,
            more_oddities: self.more_oddities,
        })
    }
}
