//! As whom S3 is asked: the places that all tools of AWS look in, in their order.
//!
//! The steps are those of `reqsign`; its own chain is not used, since it passes over a step that fails, where
//! the user should hear that a login has expired.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqsign_aws_v4::{
    AssumeRoleCredentialProvider, AssumeRoleWithWebIdentityCredentialProvider, Credential,
    ECSCredentialProvider, IMDSv2CredentialProvider, ProcessCredentialProvider, RequestSigner,
    SSOCredentialProvider, StaticCredentialProvider,
};
use reqsign_core::{Context, ProvideCredential, Signer, SigningCredential as _};

use super::address::FIRST_REGION;
use super::context::{context, metadata_context};
use super::options::Settings;
use super::profile::Section;
use super::transport::Transport;
use crate::http::Refusal;

/// Roles that lead to roles.
const ROLES_MAX: usize = 5;
/// Time for an answer of the machine's own services, as the AWS CLI has it: elsewhere nobody answers.
/// Source: `metadata_service_timeout`, <https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html>
const METADATA_TIME: Duration = Duration::from_secs(1);
const METADATA_TIME_MAX: Duration = Duration::from_secs(10);

/// Keys, and whose they are.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) credential: Credential,
    /// "the environment", "profile `x`".
    pub(super) whose: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.whose)
    }
}

/// Why there are none, where somebody said that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken(pub(super) String);

impl Broken {
    fn of(whose: &str, error: &reqsign_core::Error) -> Self {
        let words = Refusal::words(&error.to_string()).unwrap_or_default();
        Self(format!("{whose} gives no credentials: {words}"))
    }
}

pub(super) type Found = Result<Option<Login>, Broken>;

/// Looks for credentials.
pub(super) struct Search {
    settings: Arc<Settings>,
    transport: Arc<Transport>,
    context: Context,
}

impl Search {
    pub(super) fn new(settings: &Arc<Settings>, transport: &Arc<Transport>) -> Self {
        Self {
            context: context(settings, transport),
            settings: Arc::clone(settings),
            transport: Arc::clone(transport),
        }
    }

    /// The credentials of an earlier model of this run, while they are good; else the first there are. `Ok(None)`
    /// where nobody speaks of any.
    pub(super) async fn run(&self) -> Found {
        let mut known = self.settings.options.login.lock().await;
        match &*known {
            Some(Ok(Some(login))) if !login.credential.is_valid() => {}
            Some(found) => return found.clone(),
            None => {}
        }
        let found = self.look().await;
        *known = Some(found.clone());
        found
    }

    async fn look(&self) -> Found {
        if let Some(login) = self.of_environment() {
            return Ok(Some(login));
        }
        if let Some(login) = self.of_web_identity().await? {
            return Ok(Some(login));
        }
        if let Some(login) = self.of_profile(&self.settings.profile, ROLES_MAX).await? {
            return Ok(Some(login));
        }
        if let Some(login) = self.of_container().await? {
            return Ok(Some(login));
        }
        Ok(self.of_instance().await)
    }

    fn of_environment(&self) -> Option<Login> {
        let variable = |name| self.settings.variable(name).map(str::to_owned);
        let credential = Credential {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY")?,
            session_token: variable("AWS_SESSION_TOKEN").or_else(|| variable("AWS_SECURITY_TOKEN")),
            expires_in: None,
        };
        let whose = "the environment".into();
        Some(Login { credential, whose })
    }

    /// What a job of Kubernetes or of a CI service has.
    async fn of_web_identity(&self) -> Found {
        let provider = self.at_sts(AssumeRoleWithWebIdentityCredentialProvider::new());
        self.ask(
            &provider,
            "the web identity (`AWS_WEB_IDENTITY_TOKEN_FILE`)",
        )
        .await
    }

    /// The regional service, as all newer tools ask it, unless the user wants the old one.
    fn at_sts(
        &self,
        provider: AssumeRoleWithWebIdentityCredentialProvider,
    ) -> AssumeRoleWithWebIdentityCredentialProvider {
        match self.sts_region() {
            Some(region) => provider.with_region(region).with_regional_sts_endpoint(),
            None => provider,
        }
    }

    fn sts_region(&self) -> Option<String> {
        let is_legacy = self.settings.variable("AWS_STS_REGIONAL_ENDPOINTS") == Some("legacy");
        self.settings.region.clone().filter(|_| !is_legacy)
    }

    async fn of_profile(&self, name: &str, roles_left: usize) -> Found {
        let Some(profile) = self.settings.profiles.profile(name) else {
            return Ok(None);
        };
        let whose = format!("profile `{name}`");
        let get = |key: &str| profile.get(key).cloned();
        if let Some(role) = profile.get("role_arn") {
            return self.of_role(name, profile, role, roles_left).await;
        }
        if let Some(account) = get("sso_account_id") {
            return self.of_sso(profile, account, &whose).await;
        }
        if let Some(login) = of_keys(profile, &whose) {
            return Ok(Some(login));
        }
        match get("credential_process") {
            Some(command) => {
                let provider = ProcessCredentialProvider::new().with_command(command);
                self.ask(&provider, &format!("`credential_process` of {whose}"))
                    .await
            }
            None => Ok(None),
        }
    }

    /// The account that `aws sso login` has logged in to.
    async fn of_sso(&self, profile: &Section, account: String, whose: &str) -> Found {
        let missing =
            |what: &str| Broken(format!("{whose} gives no credentials: it has no `{what}`"));
        let session = match profile.get("sso_session") {
            Some(name) => Some((
                name,
                self.settings
                    .profiles
                    .sso_session(name)
                    .ok_or_else(|| missing("sso_session"))?,
            )),
            None => None,
        };
        let get = |key: &str| {
            let of_session = session.and_then(|(_, section)| section.get(key));
            of_session
                .or_else(|| profile.get(key))
                .cloned()
                .ok_or_else(|| missing(key))
        };
        // The tools keep the token in a file that is called after the session, else after the address: the
        // provider needs no more of them than that name.
        let name = match session {
            Some((name, _)) => name.clone(),
            None => get("sso_start_url")?,
        };
        let provider = SSOCredentialProvider::new()
            .with_account_id(account)
            .with_region(get("sso_region")?)
            .with_role_name(get("sso_role_name")?)
            .with_start_url(name);
        self.ask(&provider, whose).await
    }

    /// A role, by the credentials that the profile names for it.
    async fn of_role(&self, name: &str, profile: &Section, role: &str, roles_left: usize) -> Found {
        let whose = format!("profile `{name}`");
        let broken = |why: &str| Broken(format!("{whose} gives no credentials: {why}"));
        let session = profile
            .get("role_session_name")
            .map_or("byom-preflight", String::as_str);
        if let Some(file) = profile.get("web_identity_token_file") {
            let provider =
                AssumeRoleWithWebIdentityCredentialProvider::with_config(role.into(), file.into())
                    .with_role_session_name(session.into());
            return self.ask(&self.at_sts(provider), &whose).await;
        }
        if profile.contains_key("mfa_serial") {
            return Err(broken(
                "its role asks for a code (`mfa_serial`): export credentials of `aws sts assume-role` instead",
            ));
        }
        if roles_left == 0 {
            return Err(broken("its roles lead from one to the next without end"));
        }
        let source = match (
            profile.get("source_profile"),
            profile.get("credential_source").map(String::as_str),
        ) {
            (Some(source), _) if source == name => of_keys(profile, &whose),
            (Some(source), _) => Box::pin(self.of_profile(source, roles_left - 1)).await?,
            (None, Some("Environment")) => self.of_environment(),
            (None, Some("EcsContainer")) => self.of_container().await?,
            (None, Some("Ec2InstanceMetadata")) => self.of_instance().await,
            _ => None,
        };
        let source = source.ok_or_else(|| {
            broken("there are none for its role (`source_profile`, `credential_source`)")
        })?;
        let keys = source.credential;
        let keys = match &keys.session_token {
            Some(token) => {
                StaticCredentialProvider::new(&keys.access_key_id, &keys.secret_access_key)
                    .with_session_token(token)
            }
            None => StaticCredentialProvider::new(&keys.access_key_id, &keys.secret_access_key),
        };
        let region = self.sts_region();
        let signed_for = region.as_deref().unwrap_or(FIRST_REGION);
        let signer = Signer::new(
            self.context.clone(),
            keys,
            RequestSigner::new("sts", signed_for),
        );
        let mut provider = AssumeRoleCredentialProvider::new(role.into(), signer)
            .with_role_session_name(session.into());
        if let Some(region) = region {
            provider = provider.with_region(region).with_regional_sts_endpoint();
        }
        if let Some(id) = profile.get("external_id") {
            provider = provider.with_external_id(id.clone());
        }
        self.ask(&provider, &whose).await
    }

    async fn of_container(&self) -> Found {
        const WHOSE: &str = "the container (`AWS_CONTAINER_CREDENTIALS_…`)";
        match metadata_context(&self.settings, &self.transport, METADATA_TIME_MAX) {
            Ok(context) => ask(&context, &ECSCredentialProvider::new(), WHOSE).await,
            Err(error) => Err(Broken::of(WHOSE, &error)),
        }
    }

    /// The role of the machine. That nobody answers is no error: most machines have none.
    async fn of_instance(&self) -> Option<Login> {
        let variable = |name| self.settings.variable(name);
        if variable("AWS_EC2_METADATA_DISABLED")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return None;
        }
        let seconds = variable("AWS_METADATA_SERVICE_TIMEOUT").and_then(|value| value.parse().ok());
        let timeout = seconds
            .map_or(METADATA_TIME, Duration::from_secs)
            .min(METADATA_TIME_MAX);
        let context = metadata_context(&self.settings, &self.transport, timeout).ok()?;
        ask(&context, &IMDSv2CredentialProvider::new(), "the instance")
            .await
            .ok()
            .flatten()
    }

    async fn ask(
        &self,
        provider: &impl ProvideCredential<Credential = Credential>,
        whose: &str,
    ) -> Found {
        ask(&self.context, provider, whose).await
    }
}

/// The keys that stand in a profile.
fn of_keys(profile: &Section, whose: &str) -> Option<Login> {
    let credential = Credential {
        access_key_id: profile.get("aws_access_key_id")?.clone(),
        secret_access_key: profile.get("aws_secret_access_key")?.clone(),
        session_token: profile.get("aws_session_token").cloned(),
        expires_in: None,
    };
    let whose = whose.into();
    Some(Login { credential, whose })
}

async fn ask(
    context: &Context,
    provider: &impl ProvideCredential<Credential = Credential>,
    whose: &str,
) -> Found {
    match provider.provide_credential(context).await {
        Ok(credential) => Ok(credential.map(|credential| Login {
            credential,
            whose: whose.into(),
        })),
        Err(error) => Err(Broken::of(whose, &error)),
    }
}
