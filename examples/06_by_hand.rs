//! The same activation by hand: nothing in the expansion is out of a user's reach.
//!
//! `cargo run --example 06_by_hand`
#![expect(clippy::inline_always, reason = "the rule for pieces, see `Piece`")]

use dyrelu::{
    Coefficient, Combine, DynamicActivation, Elementwise, Error, PerPiece, Piece, PieceGrad, Pieces, Sharing,
    dynamic_activation,
};
use ndarray::Array4;

/// What the attribute writes for you.
#[dynamic_activation(k = 2, share = "spatial")]
struct Generated;

/// What it would take to write it yourself.
struct ByHand;

impl Piece<2> for ByHand {
    #[inline(always)]
    fn value<E: Elementwise>(x: E, [a, b]: [E; 2]) -> E {
        a.mul_add(x, b)
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, [a, _]: [E; 2]) -> PieceGrad<E, 2> {
        let one = x.lift(1.0);
        PieceGrad {
            x: a,
            coefficients: [x, one],
        }
    }
}

impl DynamicActivation for ByHand {
    const NAME: &'static str = "ByHand";
    const SHARING: Sharing = Sharing::Spatial;
    const COMBINE: Combine = Combine::Max;
    const COEFFICIENTS: &'static [Coefficient] = &[
        Coefficient::dynamic("a", PerPiece::First(1.0)),
        Coefficient::dynamic("b", PerPiece::Same(0.0)).lambda(PerPiece::Same(0.5)),
    ];
    const HOMOGENEOUS: bool = true;
    type Pieces = Pieces<2, 2>;
}

fn main() -> Result<(), Error> {
    let generated = Generated::layer::<f32>(8).seed(7).build()?;
    let by_hand = ByHand::layer::<f32>(8).seed(7).build()?;

    let x = Array4::from_shape_fn((2, 8, 4, 4), |(n, c, h, w)| (n + c) as f32 - (h * w) as f32 / 2.0);
    let (y, cache) = generated.forward_train(&x)?;
    let (y_by_hand, cache_by_hand) = by_hand.forward_train(&x)?;
    let (grads, grads_by_hand) = (
        generated.backward(&x, &cache, &y)?,
        by_hand.backward(&x, &cache_by_hand, &y_by_hand)?,
    );

    println!("outputs equal to the last bit:   {}", y == y_by_hand);
    println!("gradients equal to the last bit: {}", grads.x == grads_by_hand.x);
    Ok(())
}
