// gstex.h for Python: validated sections, which are decoded and sampled by all threads.

#define GSTEX_STATIC
#define GSTEX_IMPLEMENTATION
#include "gstex.h"
#include "gstex_expand.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.h"
#include "expanded_lists.h"
#include "threads.h"

namespace gstex {
namespace {

// Raises gstex.errors.FormatError or VersionError.
[[noreturn]] void refuse(const gstex_error &error) {
    char text[256];
    gstex_error_text(&error, text, sizeof text);
    const bool version = error.rule == GSTEX_RULE_NEWER_VERSION || error.rule == GSTEX_RULE_OLDER_VERSION;
    const nb::object errors = nb::module_::import_("gstex.errors");
    PyErr_SetString(errors.attr(version ? "VersionError" : "FormatError").ptr(), text);
    throw nb::python_error();
}

std::unique_ptr<uint32_t[]> make_scratch() {
    return std::unique_ptr<uint32_t[]>(new uint32_t[GSTEX_SCRATCH_WORDS]); // uninitialised: small files touch little of it
}

nb::list list_of(const int32_t *values, int count) {
    nb::list list;
    for (int i = 0; i < count; ++i) list.append(values[i]);
    return list;
}

nb::list list_of(const float *values, int count) {
    nb::list list;
    for (int i = 0; i < count; ++i) list.append(double(values[i]));
    return list;
}

// A validated GPU section. It keeps the array of its words, which must not be changed afterwards.
class Section {
  public:
    explicit Section(nb::object words) : words_(words) {
        nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu> array;
        if (!nb::try_cast(words, array)) throw nb::type_error("words: no contiguous array of uint32");
        gstex_error error;
        bool sound;
        {
            nb::gil_scoped_release released;
            const auto scratch = make_scratch();
            sound = gstex_validate(array.data(), array.size(), scratch.get(), GSTEX_SCRATCH_WORDS, &material_, &error) != 0;
        }
        if (!sound) refuse(error);
    }

    const gstex_material &material() const { return material_; }
    nb::object words() const { return words_; }

    int checked_mip(int mip) const {
        if (mip < material_.first_mip || mip >= material_.mip_count) throw nb::index_error("no such mip");
        return mip;
    }

    const gstex_group &checked_group(int group) const {
        if (group < 0 || group >= material_.group_count) throw nb::index_error("no such group");
        return material_.groups[group];
    }

    int group_count() const { return material_.group_count; }

    nb::dict header() const {
        const gstex_material &m = material_;
        nb::dict all;
        all["width"] = m.width;
        all["height"] = m.height;
        all["mip_count"] = m.mip_count;
        all["tail"] = m.tail;
        all["first_mip"] = m.first_mip;
        all["repeat"] = bool(m.repeat);
        all["bilinear"] = bool(m.bilinear);
        all["resident_words"] = m.resident_words;
        nb::list channels;
        for (int c = 0; c < m.channel_count; ++c) {
            const gstex_channel &of = m.channels[c];
            channels.append(nb::make_tuple(of.role, of.component, of.group, bool(of.srgb), bool(of.flipped),
                                           double(of.constant), double(of.scale), double(of.bias),
                                           double(of.stops)));
        }
        all["channels"] = channels;
        return all;
    }

    // The members of gstex_channels, without padding.
    nb::dict find_channels(int vec4s) const {
        gstex_channels of;
        gstex_find_channels(&material_, vec4s, &of);
        nb::dict all;
        all["albedo"] = list_of(of.albedo, 3);
        all["emissive"] = list_of(of.emissive, 3);
        all["normal"] = list_of(of.normal, 2);
        all["normal_directx"] = int(of.normal_directx);
        all["roughness"] = of.roughness;
        all["gloss"] = of.gloss;
        all["metallic"] = of.metallic;
        all["ao"] = of.ao;
        all["opacity"] = of.opacity;
        all["height"] = of.height;
        return all;
    }

    // The members of gstex_units, each as (scale, bias, stops, srgb).
    nb::dict find_units(int vec4s) const {
        static const char *const colors[] = {"red", "green", "blue"};
        gstex_channels of;
        gstex_units units;
        gstex_find_channels(&material_, vec4s, &of);
        gstex_find_units(&material_, &of, &units);
        nb::dict all;
        const auto put = [&all](const std::string &name, const gstex_unit &one) {
            all[name.c_str()] = nb::make_tuple(one.scale, one.bias, one.stops, one.srgb);
        };
        for (int i = 0; i < 3; ++i) {
            put(std::string("albedo.") + colors[i], units.albedo[i]);
            put(std::string("emissive.") + colors[i], units.emissive[i]);
        }
        put("height", units.height);
        return all;
    }

    nb::dict group(int number) const {
        const gstex_group &of = checked_group(number);
        nb::dict all;
        all["header_offset"] = of.header;
        all["members"] = list_of(of.channel, of.channel_count);
        all["top_k"] = of.top_k;
        all["amplitude_lo"] = double(of.amplitude_lo);
        all["amplitude_step"] = double(of.amplitude_step);
        all["channel_lo"] = list_of(of.channel_lo, of.channel_count);
        all["channel_step"] = list_of(of.channel_step, of.channel_count);
        all["channel_bits"] = list_of(of.channel_bits, of.channel_count);
        all["palette_bits"] = list_of(of.palette_bits, of.palette_count);
        all["candidates_max"] = of.candidates_max;
        return all;
    }

    // A group in this section, or as it is in the tail alone.
    gstex_group seen(int group, int mip, bool in_tail) const {
        const gstex_group &of = checked_group(group);
        checked_mip(mip);
        if (in_tail && mip < of.tail) throw nb::index_error("no such mip in the tail");
        return in_tail ? gstex__tail_of(&of) : of;
    }

    nb::dict mip(int group, int number, bool in_tail) const {
        gstex_mip of;
        const gstex_group from = seen(group, number, in_tail);
        gstex_get_mip(&from, number, &of);
        nb::dict all;
        all["offset"] = of.offset;
        all["words"] = of.words;
        all["level_count"] = of.level_count;
        all["raw"] = of.kind == GSTEX_TEXELS;
        all["filter"] = of.kind == GSTEX_SHARED ? nb::object(nb::float_(double(of.filter))) : nb::none();
        return all;
    }

    gstex_level level_of(int group, int mip, int number, bool in_tail) const {
        gstex_mip of;
        gstex_level level;
        const gstex_group from = seen(group, mip, in_tail);
        gstex_get_mip(&from, mip, &of);
        if (number < 0 || number >= of.level_count) throw nb::index_error("no such level");
        gstex_get_level(&from, mip, number, &level);
        return level;
    }

    nb::dict level(int group, int mip, int number, bool in_tail) const {
        const gstex_level of = level_of(group, mip, number, in_tail);
        nb::dict layout, all;
        layout["cells_x"] = of.cells_x;
        layout["cells_y"] = of.cells_y;
        layout["stride"] = of.stride;
        layout["position_x_bits"] = of.position_x_bits;
        layout["position_y_bits"] = of.position_y_bits;
        layout["rotation_bits"] = of.rotation_bits;
        layout["scale_bits"] = of.scale_bits;
        layout["amplitude_bits"] = of.amplitude_bits;
        layout["scale_lo"] = double(of.scale_lo);
        layout["scale_step"] = double(of.scale_step);
        layout["regular"] = bool(of.regular);
        all["layout"] = layout;
        all["index_offset"] = of.index_offset;
        all["record_offset"] = of.record_offset;
        all["count"] = of.gaussian_count;
        return all;
    }

    void cell_counts(int group, int mip, int number, bool in_tail, nb::object out) const {
        const gstex_level level = level_of(group, mip, number, in_tail);
        Arrays arrays;
        gstex_cell_counts(&material_.groups[group], &level, arrays.of<uint16_t>(out, "out", {level.cells_y, level.cells_x}));
    }

    nb::tuple candidate_stats(int group, int mip) const {
        const gstex_group &of = checked_group(group);
        checked_mip(mip);
        double mean;
        uint32_t most;
        {
            nb::gil_scoped_release released;
            const auto scratch = make_scratch();
            most = gstex_count_candidates(&of, mip, scratch.get(), &mean);
        }
        return nb::make_tuple(mean, most);
    }

    // The rectangle at (x, y) of a mip that has the size of `out`.
    void decode(int mip, int x, int y, nb::object out) const {
        Arrays arrays;
        int64_t height, width;
        float *to = texels_of<float>(arrays, mip, x, y, out, material_.channel_count, &height, &width);
        const size_t stride = size_t(width) * size_t(material_.channel_count);
        each_block(height, width, [&](int32_t left, int32_t top, int32_t across, int32_t down) {
            gstex_decode(&material_, mip, x + left, y + top, across, down,
                         to + stride * size_t(top) + size_t(material_.channel_count) * size_t(left), stride);
        });
    }

    // The expanded form (docs/expanded.md), uint32 [n], or None if there is none. make: None, or a function that makes
    // its lists, up to `most` per call: make(tiles, places, records, first, count) returns (sizes, lists) of the lists
    // first .. first + count - 1, int32 [count] and uint8 [count, 1020], or None if one of them cannot be made; its
    // arguments are the bytes and numbers of gstex_lists.
    nb::object expand(nb::object make, int32_t most) const {
        if (most < 1 || most > 1 << 20) throw nb::value_error("most: 1 to 2^20 lists are wanted");
        Lists lists(make, most);
        const std::unique_ptr<uint32_t[]> scratch(new uint32_t[gstex_expand_scratch_words(&material_)]);
        const auto write = [&](uint32_t *to, size_t room) {
            size_t count;
            {
                nb::gil_scoped_release released;
                count = gstex_expand_by(&material_, lists.maker(), scratch.get(), to, room);
            }
            lists.check();
            return count;
        };
        const size_t count = write(nullptr, 0);
        if (!count) return nb::none();
        const nb::object words = nb::module_::import_("numpy").attr("zeros")(count, "uint32");
        Arrays arrays;
        uint32_t *to = arrays.of<uint32_t>(words, "words", {int64_t(count)});
        lists.repeat();
        write(to, count);
        return words;
    }

    // Writes the material block (docs/shaders.md) for a material at a base word to `out`, uint32 [4 n], which may be
    // empty. Returns the number of its fours.
    size_t material_block(uint32_t base, nb::object out) const {
        Arrays arrays;
        const size_t room = nb::len(out);
        uint32_t *to = room ? arrays.of<uint32_t>(out, "out", {int64_t(room)}) : nullptr;
        return gstex_material_block(&material_, base, to, room / 4);
    }

    void count_candidates(int mip, nb::object out) const {
        Arrays arrays;
        int64_t height, width;
        int32_t *to = texels_of<int32_t>(arrays, mip, 0, 0, out, 0, &height, &width);
        each_block(height, width, [&](int32_t left, int32_t top, int32_t across, int32_t down) {
            for (int32_t j = top; j < top + down; ++j)
                for (int32_t i = left; i < left + across; ++i)
                    to[width * j + i] = int32_t(gstex_candidates(&material_, mip, i, j));
        });
    }

  private:
    template <class T>
    T *texels_of(Arrays &arrays, int mip, int x, int y, nb::object out, int channels, int64_t *height,
                 int64_t *width) const {
        checked_mip(mip);
        const nb::object shape = out.attr("shape");
        *height = nb::cast<int64_t>(shape[0]), *width = nb::cast<int64_t>(shape[1]);
        if (x < 0 || y < 0 || *width > gstex__mip_size(material_.width, mip) - x ||
            *height > gstex__mip_size(material_.height, mip) - y)
            throw nb::value_error("a rectangle that does not lie inside the mip");
        if (channels) return arrays.of<T>(out, "out", {*height, *width, channels});
        return arrays.of<T>(out, "out", {*height, *width});
    }

    // Calls f(left, top, across, down) for blocks of an image, in all threads. The worst block of a hostile file, in which
    // each texel sees 4096 Gaussians, takes some ten milliseconds.
    template <class F> static void each_block(int64_t height, int64_t width, F f) {
        constexpr int64_t ACROSS = 64, DOWN = 8;
        const int64_t columns = (width + ACROSS - 1) / ACROSS, rows = (height + DOWN - 1) / DOWN;
        nb::gil_scoped_release released;
        parallel_for(columns * rows, 1, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t left = i % columns * ACROSS, top = i / columns * DOWN;
                f(int32_t(left), int32_t(top), int32_t(std::min(ACROSS, width - left)),
                  int32_t(std::min(DOWN, height - top)));
            }
        });
    }

    nb::object words_;
    gstex_material material_;
};

// Mips as pictures, float32 [H, W, C] each, sampled bilinearly. None stands for a mip that is missing and never read.
class Pictures {
  public:
    Pictures(nb::list mips, bool repeat) : repeat_(repeat) {
        for (nb::handle mip : mips) {
            if (mip.is_none()) {
                pictures_.push_back({nullptr, 0, 0});
                continue;
            }
            const nb::object shape = mip.attr("shape");
            if (nb::len(shape) != 3) throw nb::value_error("pictures: arrays of three axes are wanted");
            const int64_t height = nb::cast<int64_t>(shape[0]), width = nb::cast<int64_t>(shape[1]);
            const int64_t channels = nb::cast<int64_t>(shape[2]);
            if (height < 1 || width < 1 || height > GSTEX_MAX_SIZE || width > GSTEX_MAX_SIZE)
                throw nb::value_error("pictures: 1 to 16384 texels are wanted along an axis");
            if (channels < 1 || channels > GSTEX_MAX_CHANNELS || (channels_ && channels != channels_))
                throw nb::value_error("pictures: the same 1 to 16 channels are wanted in all");
            channels_ = int32_t(channels);
            const float *texels = arrays_.of<const float>(mip, "pictures", {height, width, channels});
            pictures_.push_back({texels, int32_t(height), int32_t(width)});
        }
    }

    int32_t channels() const { return channels_; }
    int32_t count() const { return int32_t(pictures_.size()); }

    static void read(const void *data, int mip, double u, double v, float *values) {
        const Pictures &all = *static_cast<const Pictures *>(data);
        const Picture &of = all.pictures_[size_t(mip)];
        if (!of.texels) throw std::logic_error("pictures: one that is read is not there");
        const int32_t repeat = all.repeat_, channels = all.channels_;
        int32_t columns[2], rows[2];
        const float across = gstex__two_texels(gstex__wrap(u, repeat), of.width, repeat, columns);
        const float down = gstex__two_texels(gstex__wrap(v, repeat), of.height, repeat, rows);
        float texels[4 * GSTEX_MAX_CHANNELS];
        for (int i = 0; i < 4; ++i) {
            const int64_t row = gstex__inside(rows[i >> 1], of.height, repeat);
            const int64_t column = gstex__inside(columns[i & 1], of.width, repeat);
            const float *texel = of.texels + (row * of.width + column) * channels;
            for (int c = 0; c < channels; ++c) texels[channels * i + c] = texel[c];
        }
        gstex__filter(texels, channels, across, down, values);
    }

  private:
    struct Picture {
        const float *texels;
        int32_t height, width;
    };
    Arrays arrays_;
    std::vector<Picture> pictures_;
    int32_t channels_ = 0;
    bool repeat_;
};

// The arguments of sampling besides uv: none, levels of detail [M], or steps [M, 2, 2].
struct Detail {
    const double *lod = nullptr;
    const gstex_steps *steps = nullptr;
    int32_t width, height, max_taps;

    gstex_footprint of(int64_t point) const {
        gstex_footprint footprint = gstex__one_tap(lod ? lod[point] : 0.0);
        if (steps) gstex_find_footprint(steps + point, width, height, max_taps, &footprint);
        return footprint;
    }
};

// Samples `source` at uv [M, 2] into out [M, C].
void sample(const gstex__source &source, nb::object uv, nb::object lod, nb::object duv, int max_taps, nb::object out) {
    Arrays arrays;
    const int64_t count = int64_t(nb::len(uv)), channels = source.channel_count;
    const double *points = arrays.of<const double>(uv, "uv", {count, 2});
    Detail detail;
    detail.width = source.width, detail.height = source.height;
    detail.max_taps = std::max(1, std::min(max_taps, 64));
    if (!lod.is_none()) detail.lod = arrays.of<const double>(lod, "lod", {count});
    if (!duv.is_none())
        detail.steps = reinterpret_cast<const gstex_steps *>(arrays.of<const double>(duv, "duv", {count, 2, 2}));
    float *to = arrays.of<float>(out, "out", {count, channels});
    nb::gil_scoped_release released;
    // The worst point of a hostile file takes some milliseconds.
    parallel_for(count, 16, [&](int64_t begin, int64_t end, Scratch &) {
        for (int64_t i = begin; i < end; ++i) {
            const gstex_footprint footprint = detail.of(i);
            gstex__blend_taps(&source, points[2 * i], points[2 * i + 1], &footprint, to + channels * i);
        }
    });
}

// The first `count` bytes of a buffer of bytes.
const uint8_t *bytes_of(Arrays &arrays, nb::handle buffer, int64_t count) {
    return arrays.of<const uint8_t>(buffer, "bytes", {count});
}

} // namespace

void bind_decoder(nb::module_ &m) {
    m.attr("LIST_BYTES") = int(GSTEX_LIST_BYTES);                  // from one list of Section.expand to the next
    m.attr("LIST_MEMORY_BYTES") = int(4 * gstex_list_memory_words()); // needed to make one list
    // head: uint8 array, the first bytes of a file of that size. (gpu_bytes, gpu_crc, json_bytes, json_crc,
    // resident_bytes, resident_crc)
    m.def("read_header", [](nb::object head, uint64_t size) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(head));
        gstex_sections sections;
        gstex_error error;
        if (!gstex_read_header(bytes_of(arrays, head, count), size_t(count), size, &sections, &error)) refuse(error);
        return nb::make_tuple(sections.gpu_bytes, sections.gpu_crc, sections.json_bytes, sections.json_crc,
                              sections.resident_bytes, sections.resident_crc);
    });
    // sections: the result of read_header. gpu, json: uint8 arrays of these sizes.
    m.def("check_crcs", [](nb::tuple of, nb::object gpu, nb::object json) {
        Arrays arrays;
        gstex_sections sections{};
        sections.gpu_bytes = nb::cast<uint32_t>(of[0]), sections.gpu_crc = nb::cast<uint32_t>(of[1]);
        sections.json_bytes = nb::cast<uint32_t>(of[2]), sections.json_crc = nb::cast<uint32_t>(of[3]);
        sections.resident_bytes = nb::cast<uint32_t>(of[4]), sections.resident_crc = nb::cast<uint32_t>(of[5]);
        const uint8_t *gpu_bytes = bytes_of(arrays, gpu, sections.gpu_bytes);
        const uint8_t *json_bytes = bytes_of(arrays, json, sections.json_bytes);
        gstex_error error;
        bool right;
        {
            nb::gil_scoped_release released;
            right = gstex_check_crcs(&sections, gpu_bytes, json_bytes, &error) != 0;
        }
        if (!right) refuse(error);
    });
    // resident: uint8 array, only the resident part.
    m.def("check_resident", [](nb::tuple of, nb::object resident) {
        Arrays arrays;
        gstex_sections sections{};
        sections.resident_bytes = nb::cast<uint32_t>(of[4]), sections.resident_crc = nb::cast<uint32_t>(of[5]);
        gstex_error error;
        const uint8_t *bytes = bytes_of(arrays, resident, sections.resident_bytes);
        if (!gstex_check_resident(&sections, bytes, &error)) refuse(error);
    });
    // The correct candidates_max of each group of a section that is valid in all other respects.
    m.def("find_candidates_max", [](nb::object words) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(words));
        const uint32_t *from = arrays.of<const uint32_t>(words, "words", {count});
        gstex_material material;
        gstex_error error;
        std::vector<uint32_t> most;
        bool sound;
        {
            nb::gil_scoped_release released;
            const auto scratch = make_scratch();
            sound = gstex_validate(from, size_t(count), scratch.get(), GSTEX_SCRATCH_WORDS, &material, &error) != 0 ||
                    error.rule == GSTEX_RULE_CANDIDATES_MAX;
            for (int g = 0; sound && g < material.group_count; ++g)
                most.push_back(gstex__most_of_group(&material, g, scratch.get()));
        }
        if (!sound) refuse(error);
        nb::list all;
        for (uint32_t of_group : most) all.append(of_group);
        return all;
    });

    nb::class_<Section>(m, "Section")
        .def(nb::init<nb::object>())
        .def_prop_ro("words", &Section::words)
        .def("header", &Section::header)
        .def("find_channels", &Section::find_channels)
        .def("find_units", &Section::find_units)
        .def("expand", &Section::expand, nb::arg("make").none(), nb::arg("most"))
        .def("material_block", &Section::material_block)
        .def_prop_ro("group_count", &Section::group_count)
        .def("group", &Section::group)
        .def("mip", &Section::mip)
        .def("level", &Section::level)
        .def("cell_counts", &Section::cell_counts)
        .def("candidate_stats", &Section::candidate_stats)
        .def("decode", &Section::decode)
        .def("count_candidates", &Section::count_candidates)
        .def("sample", [](const Section &section, nb::object uv, nb::object lod, nb::object duv, bool bilinear,
                          int max_taps, nb::object out) {
            const gstex_filter filter = bilinear ? GSTEX_BILINEAR : GSTEX_DIRECT;
            sample(gstex__source_of(&section.material(), filter), uv, lod, duv, max_taps, out);
        }, nb::arg("uv"), nb::arg("lod").none(), nb::arg("duv").none(), nb::arg("bilinear"), nb::arg("max_taps"), nb::arg("out"));

    nb::class_<Pictures>(m, "Pictures")
        .def(nb::init<nb::list, bool>())
        // width, height: the size of mip 0, which may be missing.
        .def("sample", [](const Pictures &pictures, nb::object uv, nb::object lod, nb::object duv, int32_t width,
                          int32_t height, uint32_t srgb, int max_taps, nb::object out) {
            gstex__source source;
            source.width = width, source.height = height;
            source.channel_count = pictures.channels();
            source.first_mip = 0;
            source.mip_count = pictures.count();
            source.srgb = srgb;
            source.read = &Pictures::read;
            source.data = &pictures;
            sample(source, uv, lod, duv, max_taps, out);
        }, nb::arg("uv"), nb::arg("lod").none(), nb::arg("duv").none(), nb::arg("width"), nb::arg("height"), nb::arg("srgb"),
           nb::arg("max_taps"), nb::arg("out"));

    m.def("footprints", [](nb::object duv, int width, int height, int max_taps, nb::object lod, nb::object taps,
                           nb::object step) {
        Arrays arrays;
        const int64_t count = int64_t(nb::len(duv));
        Detail detail;
        detail.width = width, detail.height = height, detail.max_taps = max_taps;
        detail.steps = reinterpret_cast<const gstex_steps *>(arrays.of<const double>(duv, "duv", {count, 2, 2}));
        double *lods = arrays.of<double>(lod, "lod", {count}), *steps = arrays.of<double>(step, "step", {count, 2});
        int64_t *numbers = arrays.of<int64_t>(taps, "taps", {count});
        nb::gil_scoped_release released;
        parallel_for(count, 1 << 12, [&](int64_t begin, int64_t end, Scratch &) {
            for (int64_t i = begin; i < end; ++i) {
                const gstex_footprint footprint = detail.of(i);
                lods[i] = footprint.lod, numbers[i] = footprint.taps;
                steps[2 * i] = footprint.step_u, steps[2 * i + 1] = footprint.step_v;
            }
        });
    });
}

} // namespace gstex
