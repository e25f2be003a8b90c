use super::counter::predicts_more_tokens;
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
