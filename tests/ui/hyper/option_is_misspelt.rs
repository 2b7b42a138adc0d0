use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", hyper(contxt = "pooled"))]
struct Foo;

fn main() {}
