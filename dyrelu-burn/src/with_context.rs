//! [`WithContext`]: a layer together with the tensor that its coefficients follow from.

use crate::Layer;
use crate::composed::{self, cast, wide};
#[cfg(feature = "flex")]
use crate::fused;
#[cfg(feature = "cubecl")]
use crate::gpu;
use burn::tensor::{DType, Tensor};
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{DynamicActivation, Error, Sharing, has_external_context, is_static, sets};

/// A [`Layer`] whose hyper function sees another tensor than x, made by [`Layer::with_context`].
///
/// Its methods are those of the layer.
#[derive(Debug)]
pub struct WithContext<'a, A: DynamicActivation> {
    pub(crate) layer: &'a Layer<A>,
    /// `[N, M, T]`; none for an activation that needs none.
    context: Option<Tensor<3>>,
}

impl<A: DynamicActivation> Layer<A> {
    /// The layer for an external context, of an activation with `hyper(context = "external")`.
    ///
    /// The context is a tensor `[N, M, ...]` of any rank from 2, for a batch of N samples; the hyper function sees its mean
    /// over all axes from the third on. M is [`context_channels`](crate::LayerConfig::context_channels). Gradients reach it.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use dyrelu::dynamic_activation;
    /// use dyrelu_burn::{Layer, LayerConfig};
    ///
    /// #[dynamic_activation(k = 2, share = "spatial", hyper(context = "external"))]
    /// struct Conditioned;
    ///
    /// let device = Device::flex();
    /// let act: Layer<Conditioned> = LayerConfig::new(8).with_context_channels(Some(5)).init(&device);
    /// let (x, tokens) = (Tensor::<4>::ones([2, 8, 4, 4], &device), Tensor::<2>::ones([2, 5], &device));
    /// let y = act.with_context(tokens).forward(x);
    /// ```
    ///
    /// # Panics
    ///
    /// When the activation has no external context, or the tensor is not `[N, M, ...]`.
    #[must_use]
    pub fn with_context<const D: usize>(&self, context: Tensor<D>) -> WithContext<'_, A> {
        let shape = context.dims().to_vec();
        let fail = |expected: String| -> ! {
            let found = format!("{shape:?}");
            panic!("{}: {}", A::NAME, Error::Context { expected, found })
        };
        if !has_external_context::<A>() {
            fail("no context: only `hyper(context = \"external\")` has one".to_owned());
        }
        let channels = self.inputs;
        match *shape {
            [samples, found, ref spatial @ ..] if found == channels => WithContext {
                layer: self,
                context: Some(context.reshape([samples, channels, spatial.iter().product()])),
            },
            _ => fail(format!("a context [N, {channels}, ...]")),
        }
    }

    /// The layer of an activation that needs no external context.
    pub(crate) fn bare(&self) -> WithContext<'_, A> {
        if has_external_context::<A>() {
            let error = Error::Context {
                expected: "a context beside x: call `with_context`".to_owned(),
                found: "none".to_owned(),
            };
            panic!("{}: {error}", A::NAME);
        }
        WithContext {
            layer: self,
            context: None,
        }
    }
}

impl<A: DynamicActivation> WithContext<'_, A> {
    /// As [`Layer::forward`].
    ///
    /// # Panics
    ///
    /// As [`Layer::forward`]; and when the context is one of another number of samples.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.check(&x);
        #[cfg(feature = "flex")]
        let x = match fused::forward(self.layer, x, self.context.clone()) {
            Ok(y) => return y,
            Err(x) => x,
        };
        #[cfg(feature = "cubecl")]
        let x = match gpu::forward(self, x) {
            Ok(y) => return y,
            Err(x) => x,
        };
        self.forward_composed(x)
    }

    /// As [`Layer::forward_composed`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn forward_composed<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.check(&x);
        if x.shape().num_elements() == 0 {
            return x;
        }
        let shape = x.dims();
        let x = with_one_spatial_axis(x);
        let context = self.context_of(&x, composed::pool::<A>);
        let coefficients = composed::coefficients::<A>(&self.layer.parameters, context, wide(x.dtype()));
        let coefficients: Vec<Vec<_>> = coefficients
            .into_iter()
            .map(|pieces| pieces.into_iter().map(|piece| cast(piece, x.dtype())).collect())
            .collect();
        let attention = self
            .attention_of(&x, true)
            .map(|attention| cast(attention, x.dtype()));
        let groups = self.layer.config().groups.unwrap_or(1);
        composed::apply::<A>(&x, groups, &coefficients, attention).reshape(shape)
    }

    /// As [`Layer::coefficients`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn coefficients<const D: usize>(&self, x: Tensor<D>) -> Tensor<4> {
        self.check(&x);
        let (device, dtype) = (x.device(), wide(x.dtype()));
        let samples = if is_static::<A>() { 1 } else { x.dims()[0] };
        let context = self.context_of(&with_one_spatial_axis(x), composed::pool::<A>);
        self.packed_coefficients(context, dtype, samples)
            .unwrap_or_else(|| {
                Tensor::empty(
                    [samples, sets::<A>(self.layer.config().channels), 0, A::Pieces::K],
                    (&device, dtype),
                )
            })
    }

    /// The coefficients for a context in one tensor `[N, C or 1, P, K]`, if there are any; those that all samples share, as often
    /// as there are `samples`.
    pub(crate) fn packed_coefficients(
        &self,
        context: Option<Tensor<2>>,
        dtype: DType,
        samples: usize,
    ) -> Option<Tensor<4>> {
        let dynamic = context
            .clone()
            .and_then(|context| composed::dynamic_coefficients::<A>(&self.layer.parameters, context));
        if dynamic.is_some() {
            return dynamic;
        }
        let coefficients = composed::coefficients::<A>(&self.layer.parameters, context, dtype).into_iter();
        let coefficients = coefficients.map(|pieces| {
            let pieces = pieces.into_iter();
            let pieces =
                pieces.map(|piece| piece.expand([samples, sets::<A>(self.layer.config().channels), 1]));
            Tensor::cat(pieces.collect(), 2).unsqueeze_dim(2)
        });
        let coefficients: Vec<Tensor<4>> = coefficients.collect();
        (!coefficients.is_empty()).then(|| Tensor::cat(coefficients, 2))
    }

    /// As [`Layer::attention`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn attention<const D: usize>(&self, x: Tensor<D>) -> Option<Tensor<2>> {
        self.check(&x);
        self.attention_of(&with_one_spatial_axis(x), false)
            .map(|attention| attention.squeeze_dim(1))
    }

    /// What the hyper function sees, if there is one; `pool` makes it from x.
    pub(crate) fn context_of(
        &self,
        x: &Tensor<3>,
        pool: impl FnOnce(&Tensor<3>) -> Tensor<2>,
    ) -> Option<Tensor<2>> {
        let dtype = wide(x.dtype());
        match &self.context {
            _ if is_static::<A>() => None,
            Some(context) => Some(composed::mean(cast(context.clone(), dtype))),
            None => Some(pool(x)),
        }
    }

    fn attention_of(&self, x: &Tensor<3>, moves: bool) -> Option<Tensor<3>> {
        self.scores_of(x, moves, composed::scores)
            .map(|scores| composed::attention(scores, self.layer.scaling))
    }

    /// What becomes the attention for x, `[N, 1, S]`, in mode C; `scores` makes those of x for their weight and bias.
    pub(crate) fn scores_of(
        &self,
        x: &Tensor<3>,
        moves: bool,
        scores: impl FnOnce(Tensor<3>, Tensor<1>, Tensor<1>) -> Tensor<3>,
    ) -> Option<Tensor<3>> {
        (A::SHARING == Sharing::Unshared).then(|| {
            let Layer {
                parameters,
                statistics,
                ..
            } = self.layer;
            let dtype = wide(x.dtype());
            let weight = parameters.matrix("attention.weight");
            let channels = weight.shape().num_elements();
            let weight = cast(weight, dtype).reshape([channels]);
            let scores = scores(
                x.clone(),
                weight,
                cast(parameters.vector("attention.bias"), dtype),
            );
            match statistics {
                None => scores,
                Some(statistics) => composed::normalised(parameters, statistics, scores, moves),
            }
        })
    }

    fn check<const D: usize>(&self, x: &Tensor<D>) {
        let channels = self.layer.config().channels;
        let found = x.dims().to_vec();
        let error = match (&*found, self.context.as_ref().map(Tensor::dims)) {
            ([_] | [], _) => Error::Rank { found },
            ([_, c, ..], _) if *c != channels => Error::Channels {
                expected: channels,
                found,
            },
            ([samples, ..], Some([n, m, _])) if n != *samples => Error::Context {
                expected: format!("a context [{samples}, {m}, ...] for x of this batch size"),
                found: format!("[{n}, {m}, ...]"),
            },
            _ => return,
        };
        panic!("{}: {error}", A::NAME);
    }
}

/// x as `[N, C, S]`.
pub(crate) fn with_one_spatial_axis<const D: usize>(x: Tensor<D>) -> Tensor<3> {
    let shape = x.dims();
    x.reshape([shape[0], shape[1], shape[2..].iter().product()])
}
