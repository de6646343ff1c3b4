//! The client commands against an endpoint behind TLS whose authority is a private one.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use e2e::PATIENCE;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use support::Program;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::dev::Dev;

/// Speaks TLS in front of a plain port, with a certificate of its own authority.
struct Front {
    url: String,
    authority: String,
    acceptor: TlsAcceptor,
    listener: TcpListener,
    behind: String,
}

impl Front {
    async fn of(behind: &str) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut authority = rcgen::CertificateParams::new(Vec::new())?;
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate()?;
        let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key)?;
        let key = rcgen::KeyPair::generate()?;
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self {
            url: format!("https://{}/", listener.local_addr()?),
            authority: authority.pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            listener,
            behind: behind.to_owned(),
        })
    }

    /// Serves one connection after the other, for ever.
    async fn serve(&self) -> Result<()> {
        loop {
            let (outer, _) = self.listener.accept().await?;
            // A client that does not trust the certificate breaks off.
            let Ok(mut outer) = self.acceptor.accept(outer).await else { continue };
            let mut inner = TcpStream::connect(&self.behind).await?;
            let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
        }
    }
}

#[tokio::test]
async fn commands_speak_https() -> Result<()> {
    let dev = Dev::start(10).await?;
    let done = json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } });
    dev.api()?.create("behind-tls", &done).await?;
    let front = Front::of(&dev.listen).await?;
    let trusted = dev.folder.file("authority.pem");
    std::fs::write(&trusted, &front.authority)?;
    let calling = async {
        let command = |words: &[&str]| {
            let command = Program::command("stepwell")?;
            let command = words.iter().fold(command, |command, word| command.arg(word));
            anyhow::Ok(command.arg("--endpoint-url").arg(&front.url))
        };
        for (words, expected) in [(&["list"][..], "behind-tls"), (&["start", "behind-tls", "--wait"], "SUCCEEDED")] {
            let program = command(words)?.env("SSL_CERT_FILE", trusted.display().to_string()).start()?;
            let status = program.wait(PATIENCE).await?;
            ensure!(status.success(), "{words:?} ended with {status}: {}", program.output());
            let said = program.output();
            ensure!(said.contains(expected), "{words:?}: {said}");
        }
        let stranger = command(&["list"])?.env("SSL_CERT_FILE", "/dev/null").start()?;
        let status = stranger.wait(PATIENCE).await?;
        let said = stranger.output();
        ensure!(!status.success() && said.contains(&front.url), "{status}: {said}");
        let odd = Program::command("stepwell")?.arg("list").arg("--endpoint-url").arg("127.0.0.1:8083").start()?;
        let status = odd.wait(PATIENCE).await?;
        let said = odd.output();
        ensure!(!status.success() && said.contains("http://") && said.contains("--endpoint-url"), "{status}: {said}");
        Ok(())
    };
    tokio::select! { biased;
        called = calling => called,
        served = front.serve() => served.context("serve TLS"),
    }
}
