use dyrelu::{DynamicActivation, LayerBuilder, dynamic_activation};

#[dynamic_activation(k = 2, share = "none", piece = |x, a, b, c| a * x + b * c, init(a = 1, b = 0, c = 0))]
enum Foo<'a, T: Copy>
where
    T: Default,
{
    A(&'a T),
}

fn uses() -> LayerBuilder<Foo<'static, u8>, f32> {
    let _: &str = Foo::<'static, u8>::NAME;
    Foo::<'static, u8>::layer::<f32>(4)
}

fn main() {
    uses();
}
