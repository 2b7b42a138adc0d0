use dyrelu::{DynamicActivation, Piece, dynamic_activation};

#[dynamic_activation(
    k = 3, share = "spatial", combine = "min", init(a = [1.0], b = 0.0),
    piece = [|x, a, c| a * x * c, |y, b, s, c| b * y + c * s, |z| 6.0],
    fixed(c = 2.0), neighbours(s = shift(1, 1))
)]
struct Capped;

#[dynamic_activation(k = 1, share = "spatial", piece = |x| max(x, 0.0))]
struct Relu;

#[dynamic_activation(k = 2, share = "spatial", learned(a = [1.0, 0.0], b = 0.0))]
struct Maxout;

fn main() {
    assert_eq!(<Capped as Piece<3>>::value(3.0, [1.0, 2.0, 0.5]), 6.0);
    assert_eq!(<Capped as Piece<3>>::value(1.0, [1.5, 2.0, -1.0]), 0.0);
    let grad = <Capped as Piece<3>>::grad(1.0, [1.5, 2.0, -1.0]);
    assert_eq!((grad.x, grad.coefficients), (2.0, [0.0, 1.0, 2.0]));
    assert_eq!(Capped::COEFFICIENTS.len(), 2);
    assert_eq!(<Relu as Piece<0>>::value(-3.0, []), 0.0);
    assert_eq!(<Relu as Piece<0>>::grad(3.0, []).x, 1.0);
    assert_eq!(Maxout::COEFFICIENTS[0].init.of(0), 1.0);
}
