use dyrelu::{DynamicActivation, Layer, LayerBuilder, dynamic_activation};

#[dynamic_activation(k = 99, share = "spatial")]
struct Foo;

fn uses() -> LayerBuilder<Foo, f32> {
    let _: &str = Foo::NAME;
    let _: Option<Layer<Foo, f64>> = Foo::layer::<f64>(4).build().ok();
    Foo::layer::<f32>(4)
}

fn main() {
    uses();
}
