// Around bc.hlsl, in the place of INCLUDE: encodes blocks whose texels are given, one invocation a block.

StructuredBuffer<uint> texels : register(t0);
StructuredBuffer<uint> arguments : register(t1); // the format, how many blocks
RWStructuredBuffer<uint> blocks : register(u2);

#define GSTEX_TEXEL(at, i) texels[16 * (at) + (i)]
INCLUDE

[numthreads(32, 1, 1)]
void main(uint3 id : SV_DispatchThreadID)
{
    if (id.x >= arguments[1]) return;
    GstexBlock block = gstex_bc_block(int(id.x), arguments[0]);
    for (int i = 0; i < 4; ++i) blocks[4 * id.x + i] = block.word[i];
}
