//! preflight-source
