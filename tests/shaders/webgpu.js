// Runs a shader once for each of some points: what shader_runners.BrowserRunner asks the browser for.
const [code, count, ...data] = arguments;
const done = arguments[arguments.length - 1];
const bytes = data.slice(0, 3).map((text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));

async function pipelineOf(code) {
  window.pipelines ??= new Map();
  if (!window.device) {
    const adapter = navigator.gpu && (await navigator.gpu.requestAdapter());
    if (!adapter) throw { skip: "no adapter" };
    window.device = await adapter.requestDevice();
  }
  if (!window.pipelines.has(code)) {
    const module = window.device.createShaderModule({ code });
    const messages = (await module.getCompilationInfo()).messages.filter((one) => one.type === "error");
    if (messages.length) throw { error: messages.map((one) => `${one.lineNum}: ${one.message}`).join("\n") };
    const compute = { module, entryPoint: "main" };
    window.pipelines.set(code, await window.device.createComputePipelineAsync({ layout: "auto", compute }));
  }
  return window.pipelines.get(code);
}

async function run() {
  const pipeline = await pipelineOf(code);
  const device = window.device;
  device.pushErrorScope("validation");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffers = bytes.map((part) => {
    const buffer = device.createBuffer({ size: part.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, part);
    return buffer;
  });
  const found = device.createBuffer({ size: 64 * count, usage });
  const read = device.createBuffer({ size: 64 * count, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const order = [buffers[0], buffers[1], found, buffers[2]];
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: order.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(Math.ceil(count / 64));
  pass.end();
  encoder.copyBufferToBuffer(found, 0, read, 0, 64 * count);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const error = await device.popErrorScope();
  if (error) return { error: error.message };
  let text = "";
  for (const byte of new Uint8Array(read.getMappedRange())) text += String.fromCharCode(byte);
  return { floats: btoa(text) };
}

run().then(done, (error) => done(error.skip || error.error ? error : { error: String(error) }));
