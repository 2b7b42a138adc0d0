use dyrelu::{DynamicActivation, LayerBuilder, Piece, dynamic_activation};

#[dynamic_activation(
    k = 2, share = "spatial", piece = [|x, a, s| a * (x + s), |x| 0.0], learned(a = 1.0), neighbours(s = shift(0, 0))
)]
struct Foo;

fn uses() -> LayerBuilder<Foo, f32> {
    let _ = (Foo::NEIGHBOURS.len(), Foo::HYPER, Foo::ATTENTION);
    let _ = <Foo as Piece<2>>::value(1.0, [2.0, 3.0]);
    Foo::layer::<f32>(4)
}

fn main() {
    uses();
}
