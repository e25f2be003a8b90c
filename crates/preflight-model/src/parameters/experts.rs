//! What one token uses of a mixture of experts.

use crate::config::Config;
use crate::names::{parts, split_last};

/// Routed experts that a token uses, and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Experts {
    used: u64,
    all: u64,
}

impl Experts {
    /// What the config says; `None` where it says nothing, or different things of different layers.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let text = config.text();
        // LongCat routes some tokens to experts that compute nothing.
        if text.u64("zero_expert_num").is_some_and(|zero| zero > 0) {
            return None;
        }
        let all = text.first_u64(&[
            "num_local_experts",
            "n_routed_experts",
            "num_experts",
            "moe_num_experts",
        ])?;
        let used = text.first_u64(&["num_experts_per_tok", "moe_topk", "moe_k", "moe_top_k"])?;
        (0 < used && used <= all).then_some(Self { used, all })
    }

    /// Of `total` parameters, of which `routed` lie in routed experts: what a token uses. Experts that
    /// every token uses, routers, dense layers and both embeddings count in full.
    pub(super) fn active(self, total: u64, routed: u64) -> Option<u64> {
        if routed == 0 {
            return None;
        }
        let used = u128::from(routed) * u128::from(self.used) / u128::from(self.all);
        total
            .checked_sub(routed)?
            .checked_add(u64::try_from(used).ok()?)
    }
}

/// Whether a tensor belongs to the routed experts: one tensor for each expert, or one for all.
/// `switch_mlp` is MLX's name; Granite keeps its experts in two modules of no such name.
pub(super) fn is_routed(name: &str) -> bool {
    // Modules: neither what stands first nor the parameter itself.
    let Some((module, _)) = split_last(name) else {
        return false;
    };
    let mut inner = parts(module).skip(1).peekable();
    while let Some(part) = inner.next() {
        let is_routed = match part {
            "experts" | "switch_mlp" => true,
            "block_sparse_moe" => {
                matches!(inner.peek(), Some(&("input_linear" | "output_linear")))
            }
            _ => false,
        };
        if is_routed {
            return true;
        }
    }
    false
}
