use dyrelu::{Layer, dynamic_activation};

#[dynamic_activation(k = 2, share = "spatial")]
#[dynamic_activation(k = 3, share = "none")]
struct Foo;

fn main() {
    let _: Option<Layer<Foo, f32>> = Foo::layer(4).build().ok();
}
