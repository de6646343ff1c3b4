//! Which server is there.
//!
//! lapin does not hand out the server's properties, and the arguments of queues depend on its version. So a connection of its
//! own reads the server's greeting. A server that accepts connections and says nothing is found out here too, with a
//! deadline, before lapin starts a thread for it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use futures::io::{AsyncRead, AsyncWrite};
use lapin::protocol::{AMQPClass, connection, parse_class};
use lapin::tcp::{AMQPUriTcpExt, TLSConfig};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;

use super::config::address;
use super::fault::Fault;

const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// A frame is a type, a channel, a size, the payload and an end mark.
const FRAME_HEADER_BYTES: usize = 7;
/// A greeting takes about 500 bytes.
const GREETING_BYTES_MAX: usize = 64 * 1024;

/// Is the major version of a RabbitMQ server; 0 for a server that doesn't tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct MajorVersion(pub(super) u32);

pub(super) async fn major_version(uri: &AMQPUri) -> Result<MajorVersion, Fault> {
    let connect = |source| Fault::Connect { address: address(uri), source };
    let not_amqp = |reason| Fault::NotAmqp { address: address(uri), reason };
    let runtime = lapin::runtime::default_runtime().map_err(|error| connect(io::Error::other(error)))?;
    let mut stream = uri.connect_with_config_async(TLSConfig::default(), &runtime).await.map_err(connect)?;
    let frame = greeting(Pin::new(&mut stream)).await.map_err(connect)?;
    match parse_class(&*frame) {
        Ok((_, AMQPClass::Connection(connection::AMQPMethod::Start(start)))) => Ok(read(&start.server_properties)),
        Ok(_) | Err(_) => Err(not_amqp("its greeting is another method")),
    }
}

async fn greeting<S: AsyncRead + AsyncWrite>(mut stream: Pin<&mut S>) -> io::Result<Vec<u8>> {
    let mut rest = PROTOCOL_HEADER;
    while !rest.is_empty() {
        let written = poll_fn(|context| stream.as_mut().poll_write(context, rest)).await?;
        rest = rest.get(written..).unwrap_or_default();
    }
    poll_fn(|context| stream.as_mut().poll_flush(context)).await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    fill(stream.as_mut(), &mut header).await?;
    let [1, _, _, a, b, c, d] = header else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the server does not speak AMQP 0-9-1"));
    };
    let size = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if size > GREETING_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the server's greeting is too long"));
    }
    let mut payload = vec![0; size];
    fill(stream, &mut payload).await?;
    Ok(payload)
}

async fn fill<S: AsyncRead>(mut stream: Pin<&mut S>, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let count = poll_fn(|context| stream.as_mut().poll_read(context, &mut buffer[filled..])).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += count;
    }
    Ok(())
}

fn read(properties: &FieldTable) -> MajorVersion {
    let version = match properties.inner().get("version") {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => String::new(),
    };
    MajorVersion(version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0))
}
