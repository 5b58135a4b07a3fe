package com.example.harbour;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

import org.apache.commons.lang3.StringUtils;

/** What {@code harbour.properties} says; Maven writes the version into it. */
public record Settings(String name, String version, List<Berth> berths) {

    static final String RESOURCE = "/harbour.properties";

    public static Settings load() {
        Properties properties = new Properties();
        try (InputStream in = Settings.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
                throw new IllegalStateException(RESOURCE + " is not on the class path");
            }
            properties.load(new InputStreamReader(in, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + RESOURCE, e);
        }
        return of(properties);
    }

    static Settings of(Properties properties) {
        return new Settings(
                required(properties, "harbour.name"),
                required(properties, "harbour.version"),
                berths(required(properties, "harbour.berths")));
    }

    private static List<Berth> berths(String text) {
        List<Berth> berths = new ArrayList<>();
        for (String entry : StringUtils.split(text, ',')) {
            String[] parts = StringUtils.split(entry.trim(), ':');
            if (parts.length != 3) {
                throw new IllegalArgumentException(
                        "harbour.berths: expected name:length:depth, got \"" + entry.trim() + "\"");
            }
            berths.add(new Berth(parts[0], Double.parseDouble(parts[1]), Double.parseDouble(parts[2])));
        }
        return berths;
    }

    private static String required(Properties properties, String key) {
        String value = StringUtils.trimToNull(properties.getProperty(key));
        if (value == null) {
            throw new IllegalArgumentException(key + " is missing in " + RESOURCE);
        }
        return value;
    }
}
