use super::counter::{layers_in, predicts_more_tokens};
use super::experts::is_routed;
use super::layer_of;

#[test]
fn the_layer_of_a_name() {
    assert_eq!(layer_of("model.layers.61.mlp.gate.weight"), Some(61));
    assert_eq!(layer_of("language_model.model.layers.3.a"), Some(3));
    assert_eq!(layer_of("model.language_model.layers.3.a"), Some(3));
    assert_eq!(layer_of("layers.3.a"), Some(3));
    assert_eq!(layer_of("vision_tower.layers.3.a"), None);
    assert_eq!(layer_of("model.layers.x.a"), None);
}

#[test]
fn layers_that_predict_several_tokens() {
    for name in [
        "mtp.layers.0.mlp.gate.weight",
        "model.mtp.embed_tokens.weight",
        "model.mtp_block.0.mlp.up_proj.weight",
    ] {
        assert!(predicts_more_tokens(name), "{name}");
    }
    assert!(!predicts_more_tokens("model.layers.0.mtp.weight"));
}

#[test]
fn what_lies_in_a_list_of_layers_and_in_routed_experts() {
    for (name, is_in_layers, is_in_experts) in [
        ("model.layers.0.mlp.experts.7.up_proj.weight", true, true),
        ("model.layers.0.mlp.experts.gate_up_proj", true, true),
        ("model.layers.0.mlp.switch_mlp.up_proj.weight", true, true),
        (
            "model.layers.0.mlp.shared_experts.up_proj.weight",
            true,
            false,
        ),
        (
            "model.layers.0.block_sparse_moe.input_linear.weight",
            true,
            true,
        ),
        (
            "model.layers.0.block_sparse_moe.router.layer.weight",
            true,
            false,
        ),
        ("model.layers.0.block_sparse_moe.input_linear", true, false),
        ("transformer.h.0.attn.c_attn.weight", true, false),
        ("bert.encoder.layer.0.output.dense.weight", true, false),
        ("transformer.blocks.0.ffn.up_proj.weight", true, false),
        ("layers.0.mlp.experts", false, false),
        ("experts.0.w1", false, false),
        ("model.layers", false, false),
        ("", false, false),
    ] {
        assert_eq!(layers_in(name), is_in_layers, "{name}");
        assert_eq!(is_routed(name), is_in_experts, "{name}");
    }
}
