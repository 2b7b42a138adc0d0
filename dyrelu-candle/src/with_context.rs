//! [`WithContext`]: a layer together with the tensor that its coefficients follow from.

use crate::composed::{self, wide};
use crate::layer::refuse;
use crate::{Layer, fused};
use candle_core::{Module, Result, Tensor};
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{DynamicActivation, Error, Sharing, has_external_context, is_static, sets};

/// A [`Layer`] whose hyper function sees another tensor than x, made by [`Layer::with_context`].
///
/// Its methods are those of the layer.
#[derive(Debug)]
pub struct WithContext<'a, A: DynamicActivation> {
    layer: &'a Layer<A>,
    /// `[N, M, T]`; none for an activation that needs none.
    context: Option<Tensor>,
}

impl<A: DynamicActivation> Layer<A> {
    /// The layer for an external context, of an activation with `hyper(context = "external")`.
    ///
    /// The context is a tensor `[N, M, ...]` of any rank from 2, for a batch of N samples; the hyper function sees its mean
    /// over all axes from the third on. M is [`context_channels`](crate::LayerConfig::context_channels). Gradients reach it.
    ///
    /// ```
    /// use candle_core::{DType, Device, Module, Tensor};
    /// use candle_nn::{VarBuilder, VarMap};
    /// use dyrelu::dynamic_activation;
    /// use dyrelu_candle::{LayerConfig, layer};
    ///
    /// #[dynamic_activation(k = 2, share = "spatial", hyper(context = "external"))]
    /// struct Conditioned;
    ///
    /// let vars = VarMap::new();
    /// let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    /// let config = LayerConfig { context_channels: Some(5), ..LayerConfig::new(8) };
    /// let act = layer::<Conditioned>(&config, vb)?;
    /// let x = Tensor::randn(0f32, 1.0, (2, 8, 4, 4), &Device::Cpu)?;
    /// let tokens = Tensor::randn(0f32, 1.0, (2, 5), &Device::Cpu)?;
    /// let y = act.with_context(&tokens)?.forward(&x)?;
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the activation has no external context, or the tensor is not one of floats, `[N, M, ...]`.
    pub fn with_context(&self, context: &Tensor) -> Result<WithContext<'_, A>> {
        let fail = |expected: String| {
            let found = format!("{:?}", context.dims());
            Err(refuse::<A>(Error::Context { expected, found }))
        };
        if !has_external_context::<A>() {
            return fail("no context: only `hyper(context = \"external\")` has one".to_owned());
        }
        if !context.dtype().is_float() {
            return Err(candle_core::Error::UnsupportedDTypeForOp(context.dtype(), A::NAME).bt());
        }
        let channels = self.inputs;
        match *context.dims() {
            [samples, found, ref spatial @ ..] if found == channels => Ok(WithContext {
                layer: self,
                context: Some(context.reshape((samples, channels, spatial.iter().product::<usize>()))?),
            }),
            _ => fail(format!("a context [N, {channels}, ...]")),
        }
    }

    /// The layer of an activation that needs no external context.
    pub(crate) fn bare(&self) -> Result<WithContext<'_, A>> {
        if has_external_context::<A>() {
            return Err(refuse::<A>(Error::Context {
                expected: "a context beside x: call `with_context`".to_owned(),
                found: "none".to_owned(),
            }));
        }
        Ok(WithContext {
            layer: self,
            context: None,
        })
    }
}

impl<A: DynamicActivation> Module for WithContext<'_, A> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

impl<A: DynamicActivation> WithContext<'_, A> {
    /// As [`Layer::forward_t`].
    ///
    /// # Errors
    ///
    /// As [`Layer::forward_t`]; and when the context is one of another number of samples.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.check(x)?;
        match fused::forward(self.layer, x, self.context.as_ref(), train)? {
            Some(y) => Ok(y),
            None => self.forward_composed_t(x, train),
        }
    }

    /// As [`Layer::forward_composed`].
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_composed_t(x, false)
    }

    /// As [`Layer::forward_composed_t`].
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn forward_composed_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.check(x)?;
        if x.elem_count() == 0 {
            return Ok(x.clone());
        }
        let shape = x.shape();
        let x = with_one_spatial_axis(x)?;
        let coefficients = self.coefficients_of(&x)?;
        let coefficients = coefficients.into_iter().map(|pieces| {
            let pieces = pieces.into_iter().map(|piece| piece.to_dtype(x.dtype()));
            pieces.collect::<Result<Vec<_>>>()
        });
        let coefficients = coefficients.collect::<Result<Vec<_>>>()?;
        let attention = self.attention_of(&x, train)?;
        let attention = attention
            .map(|attention| attention.to_dtype(x.dtype()))
            .transpose()?;
        let groups = self.layer.config().groups.unwrap_or(1);
        composed::apply::<A>(&x, groups, &coefficients, attention)?.reshape(shape)
    }

    /// As [`Layer::coefficients`].
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn coefficients(&self, x: &Tensor) -> Result<Tensor> {
        self.check(x)?;
        let coefficients = self.coefficients_of(&with_one_spatial_axis(x)?)?;
        if coefficients.is_empty() {
            let shape = (1, sets::<A>(self.layer.config().channels), 0, A::Pieces::K);
            return Tensor::zeros(shape, wide(x.dtype()), x.device());
        }
        let mut shape = vec![1; 3];
        for coefficient in coefficients.iter().flatten() {
            let axes = shape.iter_mut().zip(coefficient.dims());
            axes.for_each(|(axis, &len)| *axis = if *axis == 1 { len } else { *axis });
        }
        let coefficients = coefficients.into_iter().map(|pieces| {
            let pieces = pieces.into_iter().map(|piece| piece.broadcast_as(&*shape));
            Tensor::cat(&pieces.collect::<Result<Vec<_>>>()?, 2)?.unsqueeze(2)
        });
        Tensor::cat(&coefficients.collect::<Result<Vec<_>>>()?, 2)
    }

    /// As [`Layer::attention`].
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn attention(&self, x: &Tensor) -> Result<Option<Tensor>> {
        self.check(x)?;
        let attention = self.attention_of(&with_one_spatial_axis(x)?, false)?;
        attention.map(|attention| attention.squeeze(1)).transpose()
    }

    fn coefficients_of(&self, x: &Tensor) -> Result<Vec<Vec<Tensor>>> {
        let dtype = wide(x.dtype());
        let context = match &self.context {
            _ if is_static::<A>() => None,
            Some(context) => Some(composed::mean(&context.to_dtype(dtype)?)?),
            None => Some(composed::pool::<A>(&x.to_dtype(dtype)?)?),
        };
        composed::coefficients::<A>(&self.layer.parameters, context.as_ref(), dtype)
    }

    fn attention_of(&self, x: &Tensor, train: bool) -> Result<Option<Tensor>> {
        if A::SHARING != Sharing::Unshared {
            return Ok(None);
        }
        let Layer {
            parameters,
            statistics,
            scaling,
            ..
        } = self.layer;
        let x = x.to_dtype(wide(x.dtype()))?;
        composed::attention(parameters, statistics.as_ref(), *scaling, &x, train).map(Some)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        let channels = self.layer.config().channels;
        let found = x.dims().to_vec();
        let error = match (&*found, self.context.as_ref().map(Tensor::dims)) {
            ([_] | [], _) => Error::Rank { found },
            ([_, c, ..], _) if *c != channels => Error::Channels {
                expected: channels,
                found,
            },
            ([samples, ..], Some([n, m, _])) if n != samples => Error::Context {
                expected: format!("a context [{samples}, {m}, ...] for x of this batch size"),
                found: format!("[{n}, {m}, ...]"),
            },
            _ if !x.dtype().is_float() => {
                return Err(candle_core::Error::UnsupportedDTypeForOp(x.dtype(), A::NAME).bt());
            }
            _ => return Ok(()),
        };
        Err(refuse::<A>(error))
    }
}

/// x as `[N, C, S]`.
fn with_one_spatial_axis(x: &Tensor) -> Result<Tensor> {
    match *x.dims() {
        [samples, channels, ref spatial @ ..] => {
            x.reshape((samples, channels, spatial.iter().product::<usize>()))
        }
        _ => unreachable!("x was checked"),
    }
}
