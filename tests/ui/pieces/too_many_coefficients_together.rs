use dyrelu::dynamic_activation;

#[dynamic_activation(
    k = 2, share = "spatial", piece = [|x, a0, a1, a2, a3, a4, a5, a6, a7, a8| x + a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8, |x, b0, b1, b2, b3, b4, b5, b6, b7, b8| x + b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8]
)]
struct Foo;

fn main() {}
