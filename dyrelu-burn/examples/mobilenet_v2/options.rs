//! [`Options`]: the command line.

use std::path::PathBuf;

use burn::tensor::Device;
use burn::tensor::remote::RemoteHost;
use clap::{Parser, ValueEnum};

use crate::contender::Contender;
use crate::network::NetworkConfig;
use crate::norm::Normalisation;

/// Trains networks on Fashion-MNIST with static and dynamic activations, and compares them.
///
/// Each image gets a polarity, contrast and brightness of its own: properties of a whole image that do not change its
/// class, and to which a dynamic activation can react. What is finished stays in the output directory: after a break, the
/// same command goes on after the last complete epoch.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Activations to compare
    #[arg(
        long, value_name = "NAMES", value_enum, value_delimiter = ',',
        default_values_t = Contender::value_variants().iter().copied()
    )]
    pub(crate) activations: Vec<Contender>,

    /// Networks to train with each activation, from different random numbers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seeds: u16,

    /// Passes over the training images
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) epochs: u16,

    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) batch: u16,

    /// The network
    #[arg(long, value_enum, default_value_t = Architecture::Reference)]
    pub(crate) network: Architecture,

    /// Channels after the first convolution of the reference network [default: 4], or what multiplies all channels of
    /// MobileNetV2 [default: 0.35]
    #[arg(long, value_name = "W", value_parser = width)]
    pub(crate) width: Option<f64>,

    /// Over what numbers are normalised between convolutions and activations
    #[arg(long, value_enum, default_value_t = Normalisation::Batch)]
    pub(crate) normalisation: Normalisation,

    /// Scale the images to N × N pixels
    #[arg(long, value_name = "N", default_value_t = 28, value_parser = clap::value_parser!(u16).range(8..=512))]
    pub(crate) resolution: u16,

    /// Directory of the IDX files: train-images-idx3-ubyte[.gz] and so on, or the part in this repository
    #[arg(long, value_name = "DIR", default_value = "examples/data")]
    pub(crate) data: PathBuf,

    /// Train on the first N images only
    #[arg(long, value_name = "N")]
    pub(crate) train: Option<usize>,

    /// Test with the first N images only
    #[arg(long, value_name = "N")]
    pub(crate) test: Option<usize>,

    /// Leave polarity, contrast and brightness of the images as they are
    #[arg(long)]
    pub(crate) plain: bool,

    /// Train on these servers, each on a part of every batch, instead of this machine; the example `many_machines` starts them
    #[arg(long, value_name = "URLS", value_delimiter = ',')]
    pub(crate) servers: Vec<String>,

    /// Train on the default GPU instead of the CPU
    #[cfg(feature = "gpu")]
    #[arg(long, conflicts_with = "servers")]
    pub(crate) gpu: bool,

    /// Directory for the results; created if it is missing
    #[arg(long, value_name = "DIR", default_value = "examples/output/mobilenet_v2")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// Five inverted residual blocks for small images
    Reference,
    /// The network of Sandler et al. (2018), which halves small images less often
    MobilenetV2,
}

impl Options {
    /// Where to train.
    pub(crate) fn devices(&self) -> Result<Vec<Device>, String> {
        #[cfg(feature = "gpu")]
        if self.gpu {
            return Ok(vec![default_gpu()?.autodiff()]);
        }
        if self.servers.is_empty() {
            return Ok(vec![Device::flex().autodiff()]);
        }
        if self.normalisation == Normalisation::Batch {
            return Err("on several servers use --normalisation group: replicas share running statistics, which can be \
                        on one of the servers only".to_owned());
        }
        if !usize::from(self.batch).is_multiple_of(self.servers.len()) {
            return Err(format!(
                "a batch of {} images cannot be divided by {} servers",
                self.batch,
                self.servers.len()
            ));
        }
        let connect = |url: &String| {
            let device = Device::remote_options(&RemoteHost::websocket(url)).init();
            device.map_err(|error| format!("cannot connect to the server `{url}`: {error}"))
        };
        self.servers.iter().map(connect).collect()
    }

    pub(crate) fn network(&self) -> Result<NetworkConfig, String> {
        Ok(self.architecture()?.with_normalisation(self.normalisation))
    }

    fn architecture(&self) -> Result<NetworkConfig, String> {
        match self.network {
            Architecture::Reference => {
                let width = self.width.unwrap_or(4.0);
                if width < 2.0 || width.fract() != 0.0 || width % 2.0 != 0.0 {
                    return Err(format!(
                        "the width of the reference network is an even number of channels, not {width}"
                    ));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a small integer"
                )]
                Ok(NetworkConfig::reference(width as usize))
            }
            Architecture::MobilenetV2 => Ok(NetworkConfig::mobilenet_v2(
                self.width.unwrap_or(0.35),
                self.resolution.into(),
            )),
        }
    }
}

/// Burn's default device, which is a GPU if there is a backend for one.
#[cfg(feature = "gpu")]
fn default_gpu() -> Result<Device, String> {
    let device = Device::default();
    if device == Device::flex() {
        return Err("no GPU backend: build with one of the features `cuda`, `metal`, `rocm`, `vulkan`, `webgpu` and `wgpu`"
            .to_owned());
    }
    Ok(device)
}

fn width(text: &str) -> Result<f64, String> {
    let width: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if width > 0.0 && width <= 1024.0 {
        Ok(width)
    } else {
        Err("not between 0 and 1024".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn widths_fit_their_network() {
        let network = |arguments: &[&str]| {
            let arguments = ["mobilenet_v2"].iter().chain(arguments);
            Options::try_parse_from(arguments).unwrap().network()
        };
        assert_eq!(network(&[]).unwrap().stem, [4, 2]);
        assert_eq!(network(&["--width", "8"]).unwrap().head, 48);
        assert_eq!(
            network(&["--network", "mobilenet-v2", "--width", "0.5"])
                .unwrap()
                .head,
            1280
        );
        assert!(network(&["--width", "0.5"]).unwrap_err().contains("even number"));
        assert!(Options::try_parse_from(["mobilenet_v2", "--width", "-1"]).is_err());
    }
}
