package com.example.lighthouse.service;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

import com.example.lighthouse.model.Light;
import com.example.lighthouse.model.Rhythm;

/** All lights of the coast, from north to south. */
public class Register {

    private final List<Light> lights;

    public Register(List<Light> lights) {
        this.lights = List.copyOf(lights);
    }

    /** The register that is packed with the application. */
    public static Register ofTheCoast() {
        try (Reader in = new InputStreamReader(
                Register.class.getResourceAsStream("/lights.csv"), StandardCharsets.UTF_8)) {
            return read(in);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read /lights.csv", e);
        }
    }

    /** Reads lines of {@code name;rhythm;range}. */
    static Register read(Reader in) {
        return new Register(new BufferedReader(in).lines()
                .filter(line -> !line.isBlank())
                .map(Register::light)
                .toList());
    }

    private static Light light(String line) {
        String[] parts = line.split(";");
        if (parts.length != 3) {
            throw new IllegalArgumentException("expected name;rhythm;range, got \"" + line + "\"");
        }
        return new Light(parts[0], Rhythm.parse(parts[1]), Integer.parseInt(parts[2]));
    }

    public List<Light> lights() {
        return lights;
    }

    /** The lights seen from at least so many sea miles. */
    public List<Light> seenFrom(int miles) {
        return lights.stream().filter(light -> light.range() >= miles).toList();
    }
}
