use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", fixed(b = 0.0), init(b = 0.0))]
struct Foo;

fn main() {}
