use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 2, share = "spatial", learned(a = [1.0, 0.0], b = 0.0), init(b = 0.0), lambda(b = 0.5), squash = "tanh", hyper(layers = 1)
)]
struct Foo;

fn main() {}
