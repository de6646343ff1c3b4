//! Programs are built, started, watched and waited for; conditions are waited for by name.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use support::{HttpAnswer, Program, eventually, eventually_some, http_get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_program_is_built_started_and_watched() -> Result<()> {
    Program::build(["xtask"]).await?;
    let program = Program::command("xtask")?.arg("--help").env("NO_COLOR", "1").start()?;
    assert!(program.wait(SOON).await?.success());
    let output = program.output();
    ensure!(output.contains("verify"), "{output}");
    program.terminate()?;
    program.kill9();
    Ok(())
}

#[tokio::test]
async fn a_program_that_ends_is_not_waited_for() -> Result<()> {
    Program::build(["xtask"]).await?;
    let program = Program::command("xtask")?.arg("no-such-task").start()?;
    let waited = program.wait_for_http("http://127.0.0.1:1/healthz", SOON).await;
    let text = format!("{:#}", waited.err().context("it must not be up")?);
    ensure!(text.contains("ended with") && text.contains("no-such-task"), "{text}");
    Ok(())
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = Program::command("no-such-program").expect_err("there is none");
    assert!(error.to_string().contains("no-such-program isn't built"), "{error}");
}

#[tokio::test]
async fn http_answers_are_read() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serve = async {
        let (mut stream, _) = listener.accept().await?;
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\nnot yet").await?;
        drop(stream);
        Ok(String::from_utf8_lossy(&request[..length]).into_owned())
    };
    let url = format!("http://{address}/readyz");
    let (request, answer) = tokio::try_join!(serve, http_get(&url))?;
    assert!(request.starts_with("GET /readyz HTTP/1.0\r\n"), "{request}");
    assert_eq!(answer, HttpAnswer { status: 503, body: "not yet".to_owned() });
    assert!(http_get("https://127.0.0.1/").await.is_err());
    Ok(())
}

#[tokio::test]
async fn waiting_ends_with_an_answer_or_a_name() -> Result<()> {
    eventually(SOON, || async { true }, "all is well").await?;
    assert_eq!(eventually_some(SOON, || async { Some(7) }, "there is a number").await?, 7);
    let error = eventually(Duration::from_millis(30), || async { false }, "pigs fly").await;
    assert_eq!(error.err().context("they don't")?.to_string(), "waited 30ms in vain until pigs fly");
    Ok(())
}
