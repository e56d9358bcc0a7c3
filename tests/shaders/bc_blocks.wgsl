// Beside bc.wgsl: encodes blocks whose texels are given, one invocation a block.

@group(0) @binding(0) var<storage, read> texels: array<u32>;
@group(0) @binding(1) var<storage, read> arguments: array<u32>; // the format, how many blocks
@group(0) @binding(2) var<storage, read_write> blocks: array<u32>;

fn gstex_bc_texel(at: i32, i: i32) -> u32 { return texels[16 * at + i]; }

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= arguments[1]) { return; }
    let block = gstex_bc_block(i32(id.x), arguments[0]);
    for (var i = 0u; i < 4u; i++) { blocks[4u * id.x + i] = block.word[i]; }
}
