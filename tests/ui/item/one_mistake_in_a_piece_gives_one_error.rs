use dyrelu::{DynamicActivation, Layer, Piece, dynamic_activation};

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a| a * , init(a = 1.0))]
struct Foo;

const NAME: &str = Foo::COEFFICIENTS[0].name;

fn forward(layer: &Layer<Foo, f32>) -> &Layer<Foo, f32> {
    layer
}

fn main() {
    let _ = NAME;
    let _ = forward;
    <Foo as Piece<1>>::value(1.0_f32, [2.0]);
    <Foo as Piece<3>>::grad(1.0_f32, [2.0, 3.0, 4.0]);
}
