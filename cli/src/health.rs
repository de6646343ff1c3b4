//! `stepwell health`: asks a program's ops port whether it is well; containers are checked by it.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use outgoing::{Body, Outgoing};
use runtime::Runtime;

/// An engine of containers asks every few seconds; whoever takes longer isn't well.
const PATIENCE: Duration = Duration::from_secs(2);

/// An ops port says a few words.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Is what `stepwell health` is told.
#[derive(clap::Args)]
pub(crate) struct HealthArguments {
    /// Address and port of the ops port, as the setting ops.listen has it.
    #[arg(long, env = "STEPWELL_OPS__LISTEN", default_value = "127.0.0.1:9090")]
    ops_listen: String,
    /// Asks whether it can do its work (/readyz), not only whether it lives (/healthz).
    #[arg(long)]
    ready: bool,
}

/// Prints what the program says of itself; the exit code is 0 only if it is well.
pub(crate) async fn command(arguments: &HealthArguments) -> Result<ExitCode> {
    let url = url(&arguments.ops_listen, arguments.ready);
    let asking = || format!("ask {url} (option --ops-listen)");
    let request = http::Request::get(&url).body(Body::default()).with_context(asking)?;
    let (http, runtime) = (Outgoing::default(), Runtime::system());
    let answer = tokio::select! { biased;
        answer = http.send(request, ANSWER_BYTES_MAX) => answer.map_err(anyhow::Error::from),
        () = runtime.sleep(PATIENCE) => Err(anyhow!("there was no answer within {} s", PATIENCE.as_secs())),
    };
    let answer = answer.with_context(asking)?;
    writeln!(std::io::stdout(), "{}", String::from_utf8_lossy(&answer.body).trim_end())?;
    Ok(if answer.status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A port that is open on all addresses is asked on loopback.
fn url(listen: &str, ready: bool) -> String {
    let path = if ready { "readyz" } else { "healthz" };
    let port = |prefix: &str| listen.strip_prefix(prefix).map(str::to_owned);
    let address = match port("0.0.0.0:").or_else(|| port("[::]:")) {
        Some(port) => format!("127.0.0.1:{port}"),
        None => listen.to_owned(),
    };
    format!("http://{address}/{path}")
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn an_open_port_is_asked_on_loopback() {
        assert_eq!(url("0.0.0.0:9090", false), "http://127.0.0.1:9090/healthz");
        assert_eq!(url("[::]:9090", true), "http://127.0.0.1:9090/readyz");
        assert_eq!(url("10.1.2.3:81", true), "http://10.1.2.3:81/readyz");
    }
}
