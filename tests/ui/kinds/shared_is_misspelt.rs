use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", learned(a = share(1.0), b = Shared([1.0, 0.0])))]
struct Foo;

fn main() {}
