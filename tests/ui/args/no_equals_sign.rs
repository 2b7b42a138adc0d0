use dyrelu::dynamic_activation;

#[dynamic_activation(k(2), share("spatial"), combine("min"), piece(|x, a| a * x))]
struct Foo;

fn main() {}
