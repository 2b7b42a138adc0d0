use dyrelu::dynamic_activation;

#[dynamic_activation(k = 2, share = "spatial", piece = |x, a| { if x > 0.0 { x } else { a } * a + x }, init(a = 1.0))]
struct Foo;

fn main() {}
