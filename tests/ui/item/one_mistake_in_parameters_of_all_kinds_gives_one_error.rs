use dyrelu::{DynamicActivation, LayerBuilder, Piece, dynamic_activation};

#[dynamic_activation(k = 2, share = "none")]
struct Foo<'a, const N: usize, T: Copy = u8>(&'a [T; N]);

fn uses() -> LayerBuilder<Foo<'static, 3>, f32> {
    let _ = <Foo<'static, 3> as Piece<2>>::value(1.0_f32, [2.0, 3.0]);
    Foo::layer(4)
}

fn main() {
    uses();
    let _ = Foo::<'static, 3, u8>::NAME;
}
