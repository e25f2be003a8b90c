//! What was looked at: its name and commit, then its size.

use preflight_rules::report::ModelReport;

use super::screen::{NAME_MAX, Screen, short};
use crate::text::Keep;
use crate::words;

/// Characters of a commit that are shown, enough to be unique in any repository.
const COMMIT_SHOWN: usize = 12;

pub(super) fn write(screen: &mut Screen, model: &ModelReport) {
    screen.blank();
    let name = model.id.as_deref().unwrap_or(&model.input);
    let mut line = short(name, NAME_MAX);
    if let Some(commit) = &model.commit {
        line.push_str(" at commit ");
        line.extend(commit.chars().take(COMMIT_SHOWN));
    } else if let Some(revision) = &model.revision {
        line.push_str(" at ");
        line.push_str(&short(revision, NAME_MAX));
    }
    screen.paragraph("", &format!("{line} ({})", model.source), Keep::Words);
    if let Some(adapter) = words::adapter(&model.facts) {
        screen.paragraph("", &adapter, Keep::Words);
    }
    screen.paragraph("", &words::size(model), Keep::Words);
}
