// ckptdump ls: one line for each tensor.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ckptdump {
namespace {

struct Widths {
  std::size_t dtype = 5;
  std::size_t shape = 5;
  std::size_t bytes = 5;
  std::size_t offset = 10;
  std::size_t codec = 5;
};

std::string offset_text(std::uint64_t offset) { return fmt::format("0x{:08x}", offset); }

Widths measure(Context& context, const ckpt::Reader& reader) {
  Widths widths;
  const auto grow = [](std::size_t& width, std::size_t size) { width = std::max(width, size); };
  for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
    grow(widths.dtype, display_width(short_dtype_name(tensor)));
    grow(widths.shape, to_string(tensor.shape).size());
    grow(widths.bytes, format_bytes(tensor.size_bytes, context.options.units).size());
    grow(widths.offset, offset_text(tensor.offset).size());
    grow(widths.codec, codec_name(tensor.compression).size());
  });
  return widths;
}

void print_long(Context& context, const ckpt::Reader& reader) {
  const Widths widths = measure(context, reader);
  Output& out = context.out;
  const auto row = [&](std::string_view dtype, std::string_view shape, std::string_view bytes, std::string_view offset,
                       std::string_view codec) {
    const std::string padding = spaces(widths.dtype - std::min(widths.dtype, display_width(dtype)));
    return fmt::format("{}{}  {:<{}}  {:>{}}  {:<{}}  {:<{}}  ", dtype, padding, shape, widths.shape, bytes,
                       widths.bytes, offset, widths.offset, codec, widths.codec);
  };
  if (reader.size() != 0) {
    out.print("{}\n", context.style.bold(row("DTYPE", "SHAPE", "BYTES", "OFFSET", "CODEC") + "PATH"));
  }
  for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
    out.write(row(short_dtype_name(tensor), to_string(tensor.shape),
                  format_bytes(tensor.size_bytes, context.options.units), offset_text(tensor.offset),
                  codec_name(tensor.compression)));
    out.write(escape(tensor.path));
    if (tensor.alias_of) {
      out.print(" {}", context.style.link("-> " + escape(reader.info(*tensor.alias_of).path)));
    }
    out.write("\n");
  });
}

void print_json(Context& context, const ckpt::Reader& reader) {
  context.json.begin_array("tensors");
  for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
    context.json.begin_object();
    write_tensor_members(context.json, reader, tensor);
    context.json.end();
  });
  context.json.end();
}

ExitCode list(Context& context, const std::string& file) {
  const ckpt::Reader reader = open_checkpoint(file);
  if (context.options.json) {
    print_json(context, reader);
  } else if (context.options.long_listing) {
    print_long(context, reader);
  } else {
    for_each_selected(context, reader, [&](std::size_t, const ckpt::TensorInfo& tensor) {
      context.out.write(escape(tensor.path));
      context.out.write("\n");
    });
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode run_ls(Context& context) {
  return run_on_file(context, "ls", "file", [&](const std::string& file) { return list(context, file); });
}

}  // namespace ckptdump
