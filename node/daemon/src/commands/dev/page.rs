//! The page of a development network: it asks all of the network's nodes.

use std::net::SocketAddr;

use testamur_page::{Bundle, BundleError, PageConfig, Service};
use testamur_primitives::trust::TrustFile;

use crate::commands::page::network;
use crate::exit::CommandError;

/// What visitors read as the network's name.
const NAME: &str = "Development network";

/// Listens for visitors; none when this binary was built without the page.
pub(super) async fn open(
    trust: &TrustFile,
    listen: SocketAddr,
    nodes: &[String],
) -> Result<Option<Service>, CommandError> {
    let bundle = match Bundle::built_in() {
        Ok(bundle) => bundle,
        Err(BundleError::NotBuilt) => return Ok(None),
        Err(error) => {
            return Err(CommandError::failed("page.bundle", error, "build verifier-web, then this binary again"));
        }
    };
    let network = network(NAME, trust, nodes)?;
    let config = PageConfig { listen, tls: None, behind_tls: false, bundle, network };
    let service = Service::bind(config).await;
    service.map(Some).map_err(|error| CommandError::failed("dev.page", error, "take another --base-port"))
}
